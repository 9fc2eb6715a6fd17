"""`imp tenant`, `imp domain`, `imp product`, `imp series`: what codes belong to."""

from pathlib import Path

import click

from imp.cli import output
from imp.cli.options import (
    Session,
    directory_options,
    event_option,
    session,
    with_session,
    yes_option,
)
from imp.registry.schemas import (
    AddDomain,
    AddTenant,
    Domain,
    GetProduct,
    KeySpace,
    ListProducts,
    ListSeries,
    ListTenants,
    OpenSeries,
    Product,
    Products,
    PutProduct,
    RenewSeries,
    SeriesPage,
    Tenant,
    Tenants,
)
from imp.wire import PAGE_SIZE_MAX

after_option = click.option("--after", help="Start after this id (the last one of the page before).")
limit_option = click.option("--limit", type=click.IntRange(1, PAGE_SIZE_MAX), default=50, show_default=True)


def say_next(last: str | None) -> None:
    """Tell how to see more when a page is not the last one."""
    if last is not None:
        output.note(f"more: --after {last}")


@click.group("tenant")
def tenant_() -> None:
    """Brand owners. Every code, product and key belongs to one."""


@tenant_.command("add")
@click.argument("tenant")
@click.option("--name", required=True, help="The brand owner's name.")
@directory_options
def add_tenant(directory: Path | None, tenant: str, name: str, as_json: bool) -> None:
    """Add a brand owner; the same again changes nothing."""
    with session(directory, "", as_json=as_json) as opened:
        opened.answer("add_tenant", AddTenant(tenant=tenant, name=name), Tenant, _show_tenant)


@tenant_.command("list")
@after_option
@limit_option
@directory_options
def list_tenants(directory: Path | None, after: str | None, limit: int, as_json: bool) -> None:
    """Brand owners by id."""
    with session(directory, "", as_json=as_json) as opened:
        opened.answer("list_tenants", ListTenants(after=after, limit=limit), Tenants, _show_tenants)


def _show_tenant(tenant: Tenant) -> None:
    output.facts([("tenant", tenant.tenant), ("name", tenant.name), ("created", output.day_time(tenant.created_at_us))])


def _show_tenants(page: Tenants) -> None:
    rows = [(tenant.tenant, tenant.name, output.day_time(tenant.created_at_us)) for tenant in page.tenants]
    output.table("", ("tenant", "name", "created"), rows)
    say_next(page.next)


@click.group("domain")
def domain_() -> None:
    """Scan domains: host names under which codes are scanned."""


@domain_.command("add")
@click.argument("host")
@event_option
@with_session
def add_domain(opened: Session, host: str, event_id: str | None) -> None:
    """Make HOST a scan domain of the tenant, for ever."""
    opened.answer("add_domain", AddDomain(host=host, event_id=event_id), Domain, _show_domain)


def _show_domain(domain: Domain) -> None:
    free = [f"{count} {form}" for form, count in domain.free_slots.items()]
    output.facts([("domain", domain.host), ("free slots", free)])


@click.group("product")
def product_() -> None:
    """Products: what a scan says the item is."""


@product_.command("put")
@click.argument("product")
@click.option("--name", required=True)
@click.option("--gtin", help="GTIN-8, -12, -13 or -14.")
@click.option("--name-en", help="Name for readers of English.")
@click.option("--brand")
@click.option("--brand-en", help="Brand for readers of English.")
@click.option("--recall-instructions", help="What a recalled item's owner should do.")
@click.option("--link", help="Page a scan leads to.")
@event_option
@with_session
def put_product(opened: Session, **fields: str | None) -> None:
    """Add PRODUCT or replace what is known of it; scans show it from now on."""
    given = {name: value for name, value in fields.items() if value is not None}
    opened.answer("put_product", PutProduct(**given), Product, _show_product)  # pyright: ignore[reportArgumentType]


@product_.command("show")
@click.argument("product")
@with_session
def show_product(opened: Session, product: str) -> None:
    """One product."""
    opened.answer("get_product", GetProduct(product=product), Product, _show_product)


@product_.command("list")
@after_option
@limit_option
@with_session
def list_products(opened: Session, after: str | None, limit: int) -> None:
    """Products by id."""
    opened.answer("list_products", ListProducts(after=after, limit=limit), Products, _show_products)


def _show_product(product: Product) -> None:
    output.facts([(name, getattr(product, name)) for name in Product.__struct_fields__])


def _show_products(page: Products) -> None:
    columns = ("product", "gtin", "name", "brand")
    rows = [tuple(getattr(product, column) for column in columns) for product in page.products]
    output.table("", columns, rows)
    say_next(page.next)


@click.group("series")
def series_() -> None:
    """Series: families of serials with their own keys and slots."""


@series_.command("open")
@click.argument("series")
@click.option("--domain", required=True, help="Scan domain of its codes.")
@click.option("--format", "form", type=click.Choice(["base32", "digits"]), default="base32", show_default=True)
@click.option("--level", type=click.Choice(["lot", "item", "box", "case", "pallet"]), default="item", show_default=True)
@click.option(
    "--pairing", type=click.Choice(["single", "same_serial", "associated"]), default="single", show_default=True
)
@click.option(
    "--face",
    "faces",
    type=click.Choice(["outer", "inner"]),
    multiple=True,
    help="Readable before (outer) or after (inner) purchase [outer].",
)
@click.option("--foreign", is_flag=True, help="A set for imported codes: no keys, no faces.")
@click.option("--key-bits", type=click.Choice(["128", "256"]), default="128", show_default=True)
@event_option
@with_session
def open_series(
    opened: Session,
    *,
    series: str,
    domain: str,
    form: str,
    level: str,
    pairing: str,
    faces: tuple[str, ...],
    foreign: bool,
    key_bits: str,
    event_id: str | None,
) -> None:
    """Open SERIES; its slots and keys are drawn at random."""
    if foreign and faces:
        raise click.UsageError("--foreign goes without --face: imported codes have no keys")
    usual = ("outer", "inner") if pairing == "same_serial" else ("outer",)
    request = OpenSeries(
        series=series,
        domain=domain,
        format=form,  # pyright: ignore[reportArgumentType]
        level=level,  # pyright: ignore[reportArgumentType]
        pairing=pairing,  # pyright: ignore[reportArgumentType]
        key_bits=int(key_bits),  # pyright: ignore[reportArgumentType]
        faces=() if foreign else (faces or usual),  # pyright: ignore[reportArgumentType]
        event_id=event_id,
    )
    opened.answer("open_series", request, KeySpace, _show_key_space)


@series_.command("renew")
@click.argument("series")
@yes_option
@event_option
@with_session
def renew_series(opened: Session, series: str, yes: bool, event_id: str | None) -> None:
    """Open the next epoch of SERIES: fresh keys and slots for its next orders. Codes already issued stay good."""
    output.confirm(f"renew {series}? the slots it takes are used up for ever", yes=yes)
    opened.answer("renew_series", RenewSeries(series=series, event_id=event_id), KeySpace, _show_key_space)


@series_.command("list")
@after_option
@limit_option
@with_session
def list_series(opened: Session, after: str | None, limit: int) -> None:
    """Series by id, each with its latest epoch."""
    opened.answer("list_series", ListSeries(after=after, limit=limit), SeriesPage, _show_series)


def _show_key_space(opened: KeySpace) -> None:
    fields = ("series", "epoch", "domain", "format", "level", "pairing", "key_bits")
    slots = [f"{face.face} {face.slot}" for face in opened.faces]
    output.facts([*((name, getattr(opened, name)) for name in fields), ("slots", slots)])


def _show_series(page: SeriesPage) -> None:
    columns = ("series", "epoch", "domain", "format", "level", "faces", "issued", "capacity")
    rows = [
        (
            row.series,
            row.epoch,
            row.domain,
            row.format,
            row.level,
            [face.face for face in row.faces],
            row.issued,
            row.capacity,
        )
        for row in page.series
    ]
    output.table("", columns, rows)
    say_next(page.next)
