"""What the registry decides: who owns a host, which slots and nonce a key space gets, what a repeated request means.

Writing functions run inside a Work and return the outbox row whose outcome decides; reading ones need a session only.
"""

import random
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from imp.commands import FaceSlot, SetDomain, SetProduct
from imp.database import Database, TenantRepository
from imp.errors import Conflict, NotFound
from imp.governance.models import OutboxEntry, TenantSequence
from imp.governance.outbox import Work
from imp.registry import schemas
from imp.registry.key_spaces import (
    DRAW,
    FIRST_EPOCH,
    SLOT_COUNTS,
    check_series,
    draw_slots,
    in_order,
    key_space_command,
)
from imp.registry.models import KeySpaceEntry, ProductEntry, ScanDomain, SeriesEntry, SlotAllocation, TenantEntry
from imp.wire import CommandRequest, cut, digest_of

__all__ = [
    "add_domain",
    "add_tenant",
    "applied_epoch",
    "free_slots",
    "get_product",
    "list_products",
    "list_tenants",
    "newest_epoch",
    "open_series",
    "put_product",
    "read_key_space",
    "renew_series",
    "series_page",
]

_PRODUCT_FIELDS = ("name", "gtin", "name_en", "brand", "brand_en", "recall_instructions", "link")


class DomainRepository(TenantRepository[ScanDomain]):
    model_type = ScanDomain


class ProductRepository(TenantRepository[ProductEntry]):
    model_type = ProductEntry


class SeriesRepository(TenantRepository[SeriesEntry]):
    model_type = SeriesEntry


class KeySpaceRepository(TenantRepository[KeySpaceEntry]):
    model_type = KeySpaceEntry


class SlotRepository(TenantRepository[SlotAllocation]):
    model_type = SlotAllocation


async def add_tenant(database: Database, request: schemas.AddTenant, now_us: int) -> schemas.Tenant:
    """Add a tenant; the same again answers the same, another name is a Conflict."""
    async with database.writing(request.tenant) as session:
        row = await session.scalar(select(TenantEntry))
        if row is None:
            row = TenantEntry(tenant=request.tenant, name=request.name, created_at_us=now_us)
            session.add(row)
            await session.flush()
            session.add(TenantSequence(tenant=request.tenant, seq=0))
        elif row.name != request.name:
            raise Conflict(f"tenant {request.tenant!r} exists under the name {row.name!r}")
        return _tenant(row)


async def list_tenants(session: AsyncSession, request: schemas.ListTenants) -> schemas.Tenants:
    """Tenants by id; the session must see all."""
    statement = select(TenantEntry).order_by(TenantEntry.tenant).limit(request.limit + 1)
    if request.after is not None:
        statement = statement.where(TenantEntry.tenant > request.after)
    found = [_tenant(row) for row in await session.scalars(statement)]
    rows, following = cut(found, request.limit, lambda row: row.tenant)
    return schemas.Tenants(tenants=rows, next=following)


async def add_domain(work: Work, request: schemas.AddDomain) -> OutboxEntry:
    """Make a host the tenant's scan domain."""
    if (row := await work.repeated(request)) is not None:
        return row
    domains = DomainRepository(work.session)
    domain = await domains.get_one_or_none(host=request.host)
    if domain is not None and not await work.refused(domain.seq):
        return await work.outbox.get_one(seq=domain.seq)
    row = await work.enqueue_foreseen(SetDomain(host=request.host), request)
    if domain is None:
        await domains.add(ScanDomain(tenant=work.tenant, host=request.host, seq=row.seq), auto_refresh=False)
    else:
        domain.seq = row.seq
    return row


async def put_product(work: Work, request: schemas.PutProduct) -> OutboxEntry:
    """Add or replace a product; the content it already has is no new command."""
    if (row := await work.repeated(request)) is not None:
        return row
    products = ProductRepository(work.session)
    product = await products.get_one_or_none(product=request.product)
    if product is not None:
        latest = await work.outbox.get_one(seq=product.seq)
        if latest.digest == digest_of(request) and latest.status != "refused":
            return latest
    fields = {name: getattr(request, name) for name in _PRODUCT_FIELDS}
    row = await work.enqueue_foreseen(SetProduct(product=request.product, **fields), request)
    if product is None:
        product = ProductEntry(tenant=work.tenant, product=request.product, seq=row.seq)
        work.session.add(product)
    product.seq = row.seq
    for name, value in fields.items():
        setattr(product, name, value)
    return row


async def get_product(session: AsyncSession, product: str) -> schemas.Product:
    """One product."""
    row = await ProductRepository(session).get_one_or_none(product=product)
    if row is None:
        raise NotFound(f"there is no product {product!r}")
    return _product(row)


async def list_products(session: AsyncSession, request: schemas.ListProducts) -> schemas.Products:
    """Products by id."""
    found = await ProductRepository(session).page(ProductEntry.product, request.after, request.limit + 1)
    rows, following = cut([_product(row) for row in found], request.limit, lambda row: row.product)
    return schemas.Products(products=rows, next=following)


async def open_series(work: Work, request: schemas.OpenSeries, draw: random.Random = DRAW) -> OutboxEntry:
    """Open a series with its first epoch; the same again answers the same, other content is a Conflict."""
    if (row := await work.repeated(request)) is not None:
        return row
    check_series(request)
    series = await SeriesRepository(work.session).get_one_or_none(series=request.series)
    if series is None:
        domain = await DomainRepository(work.session).get_one_or_none(host=request.domain)
        if domain is None:
            raise NotFound(f"there is no scan domain {request.domain!r}")
        series = SeriesEntry(tenant=work.tenant, series=request.series, orders_need_epoch=0, **_series_columns(request))
        work.session.add(series)
        await work.session.flush()
        return await _open_epoch(work, series, FIRST_EPOCH, request, draw)
    if any(getattr(series, name) != value for name, value in _series_columns(request).items()):
        raise Conflict(f"series {request.series!r} exists with other content; hint: a change needs a series of its own")
    newest = await newest_epoch(work.session, request.series)
    row = await work.outbox.get_one(seq=newest.seq)
    if row.status != "refused":
        return row
    return await _open_epoch(work, series, newest.epoch + 1, request, draw)


async def renew_series(work: Work, request: schemas.RenewSeries, draw: random.Random = DRAW) -> OutboxEntry:
    """Open a series' next epoch."""
    if (row := await work.repeated(request)) is not None:
        return row
    series = await SeriesRepository(work.session).get_one_or_none(series=request.series)
    if series is None:
        raise NotFound(f"there is no series {request.series!r}")
    newest = await newest_epoch(work.session, request.series)
    return await _open_epoch(work, series, max(newest.epoch + 1, series.orders_need_epoch), request, draw)


async def series_page(session: AsyncSession, request: schemas.ListSeries) -> list[str]:
    """Ids of series the engine has opened, one more than the limit when there are more."""
    is_opened = (
        select(KeySpaceEntry.epoch)
        .join(OutboxEntry, (OutboxEntry.tenant == KeySpaceEntry.tenant) & (OutboxEntry.seq == KeySpaceEntry.seq))
        .where(KeySpaceEntry.tenant == SeriesEntry.tenant, KeySpaceEntry.series == SeriesEntry.series)
        .where(OutboxEntry.status == "applied")
    ).exists()
    rows = await SeriesRepository(session).page(SeriesEntry.series, request.after, request.limit + 1, is_opened)
    return [row.series for row in rows]


async def newest_epoch(session: AsyncSession, series: str) -> KeySpaceEntry:
    """The newest epoch of a series."""
    statement = (
        select(KeySpaceEntry).where(KeySpaceEntry.series == series).order_by(KeySpaceEntry.epoch.desc()).limit(1)
    )
    row = await session.scalar(statement)
    if row is None:
        raise NotFound(f"there is no series {series!r}")
    return row


async def applied_epoch(session: AsyncSession, series: str) -> int:
    """Number of the newest epoch the engine has opened, 0 when there is none."""
    statement = (
        select(func.max(KeySpaceEntry.epoch))
        .join(OutboxEntry, (OutboxEntry.tenant == KeySpaceEntry.tenant) & (OutboxEntry.seq == KeySpaceEntry.seq))
        .where(KeySpaceEntry.series == series, OutboxEntry.status == "applied")
    )
    return await session.scalar(statement) or 0


async def read_key_space(session: AsyncSession, seq: int) -> schemas.KeySpace:
    """The key space a command opened."""
    epoch = await KeySpaceRepository(session).get_one_or_none(seq=seq)
    if epoch is None:
        raise NotFound(f"command {seq} opened no key space")
    series = await SeriesRepository(session).get_one(series=epoch.series)
    slots = {
        row.face: row.slot for row in await SlotRepository(session).get_many(series=epoch.series, epoch=epoch.epoch)
    }
    content = _series_request(series)
    return schemas.KeySpace(
        series=series.series,
        epoch=epoch.epoch,
        domain=series.host,
        format=series.format,
        level=series.level,
        pairing=series.pairing,
        key_bits=series.key_bits,
        faces=[FaceSlot(face, slots[face]) for face in content.faces],
    )


async def free_slots(session: AsyncSession, host: str) -> dict[str, int]:
    """Slots a scan domain still has, by format."""
    statement = (
        select(SlotAllocation.format, func.count()).where(SlotAllocation.host == host).group_by(SlotAllocation.format)
    )
    taken: dict[str, int] = {row[0]: row[1] for row in await session.execute(statement)}
    return {name: total - taken.get(name, 0) for name, total in SLOT_COUNTS.items()}


async def _open_epoch(
    work: Work, series: SeriesEntry, epoch: int, request: CommandRequest, draw: random.Random
) -> OutboxEntry:
    content = _series_request(series)
    taken = select(SlotAllocation.slot).where(
        SlotAllocation.host == series.host, SlotAllocation.format == series.format
    )
    slots = draw_slots(draw, series.format, set(await work.session.scalars(taken)), content.faces)
    row = await work.enqueue_foreseen(key_space_command(content, epoch, slots, draw), request)
    work.session.add(KeySpaceEntry(tenant=work.tenant, series=series.series, epoch=epoch, seq=row.seq))
    await work.session.flush()
    work.session.add_all(
        SlotAllocation(
            tenant=work.tenant,
            host=series.host,
            format=series.format,
            slot=entry.slot,
            series=series.series,
            epoch=epoch,
            face=entry.face,
        )
        for entry in slots
    )
    return row


def _series_columns(request: schemas.OpenSeries) -> dict[str, Any]:
    return {
        "host": request.domain,
        "format": request.format,
        "level": request.level,
        "pairing": request.pairing,
        "key_bits": request.key_bits,
        "faces": ",".join(in_order(request.faces)),
    }


def _series_request(series: SeriesEntry) -> schemas.OpenSeries:
    fields = {name: getattr(series, name) for name in ("series", "format", "level", "pairing", "key_bits")}
    faces = [face for face in series.faces.split(",") if face]
    return msgspec.convert({**fields, "domain": series.host, "faces": faces}, schemas.OpenSeries)


def _tenant(row: TenantEntry) -> schemas.Tenant:
    return schemas.Tenant(tenant=row.tenant, name=row.name, created_at_us=row.created_at_us)


def _product(row: ProductEntry) -> schemas.Product:
    return schemas.Product(product=row.product, **{name: getattr(row, name) for name in _PRODUCT_FIELDS})
