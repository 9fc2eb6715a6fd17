"""The demonstration: a fictional tea brand with a million codes, and links that show what scans can answer.

Every step has a fixed id, so an interrupted set-up goes on where it was.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from imp.codes import SlotCipher
from imp.commands import Activate, Freeze, Recall, Scope, StateCommand, Void
from imp.control import Control
from imp.directory import Directory
from imp.errors import CorruptData
from imp.files import write_whole
from imp.governance.schemas import ApplyCommand
from imp.issuing.schemas import ImportAliases, IssueOrder
from imp.registry.schemas import AddDomain, AddTenant, OpenSeries, PutProduct
from imp.results import Order
from imp.settings import Settings

TENANT = "qingshan"
DOMAIN = "id.qingshan.example"
LINKS_FILE = "demo.json"

_BRAND, _BRAND_EN = "青山茶业", "Qingshan Tea"
_PRODUCTS = (
    PutProduct(
        product="longjing-250",
        gtin="6901234500011",
        name="明前龙井 绿茶 250克",
        name_en="Mingqian Longjing green tea, 250 g",
        brand=_BRAND,
        brand_en=_BRAND_EN,
    ),
    PutProduct(
        product="puer-357",
        gtin="6901234500028",
        name="陈年普洱 茶饼 357克",
        name_en="Aged Pu'er tea cake, 357 g",
        brand=_BRAND,
        brand_en=_BRAND_EN,
        recall_instructions="请勿饮用,凭包装到购买处退款。 Do not drink; return the pack to the shop for a refund.",
    ),
    PutProduct(
        product="jasmine-case",
        gtin="16901234500032",
        name="茉莉花茶 整箱 12罐",
        name_en="Jasmine tea, case of 12 tins",
        brand=_BRAND,
        brand_en=_BRAND_EN,
    ),
)
_SERIES = (
    OpenSeries(series="tins", domain=DOMAIN),
    OpenSeries(series="cakes", domain=DOMAIN, pairing="same_serial", faces=("outer", "inner")),
    OpenSeries(series="cases", domain=DOMAIN, level="case"),
    OpenSeries(series="labels-2019", domain=DOMAIN, faces=()),
)
# Without the word list every serial is issued, so that the links below can name items by their index.
_ORDERS = tuple(
    IssueOrder(order=order, series=series, quantity=quantity, product=product, lot=lot, word_list=0)
    for order, series, quantity, product, lot in (
        ("tins-spring", "tins", 600_000, "longjing-250", "LJ250406"),
        ("cakes-spring", "cakes", 300_000, "puer-357", "PE250512"),
        ("cases-spring", "cases", 100_000, "jasmine-case", "MH250601"),
    )
)
_FOREIGN = ["QS2019-0004711", "QS2019-0004712", "QS2019-0004713"]
CODES = sum(order.quantity for order in _ORDERS)

_ACTIVATED, _SPOILT = 500_000, 17
_COMMANDS: tuple[StateCommand, ...] = (
    Activate(scope=Scope(order="tins-spring", first=0, count=_ACTIVATED), reason="delivered and accepted"),
    Activate(scope=Scope(order="cakes-spring"), reason="delivered and accepted"),
    Activate(scope=Scope(order="cases-spring"), reason="delivered and accepted"),
    Activate(scope=Scope(order="labels-2019"), reason="labels of the former supplier stay valid"),
    Freeze(scope=Scope(order="cakes-spring", first=1_000, count=500), reason="two pallets were stolen in transit"),
    Recall(scope=Scope(order="cakes-spring", first=2_000, count=1_000), reason="packed in a damp warehouse"),
    Void(scope=Scope(order="tins-spring", first=_SPOILT, count=1), reason="label spoilt on the line"),
)


class Link(msgspec.Struct, frozen=True):
    """A link to try: what it shows, the path after the host, the verdict of its first scan."""

    shows: str
    path: str
    verdict: str


Say = Callable[[str], None]


async def make(path: Path, settings: Settings, say: Say) -> list[Link]:
    """Make the demonstration in `path` or finish it; returns its links. Later calls only read them."""
    known = path / LINKS_FILE
    if known.exists():
        return read_links(path)
    began = time.monotonic()
    if not (path / "imp.json").exists():
        say(f"making {path}")
        Directory.init(path, settings)
    async with await Directory.open(path, settings) as directory:
        await _fill(directory.control.acting("demo"), say)
        links = _links(directory)
    write_whole(known, msgspec.json.format(msgspec.json.encode(links), indent=1))
    say(f"{CODES:,} codes of {len(_PRODUCTS)} products after {time.monotonic() - began:.1f} s")
    return links


def read_links(path: Path) -> list[Link]:
    """The links of a finished demonstration."""
    try:
        return msgspec.json.decode((path / LINKS_FILE).read_bytes(), type=list[Link])
    except msgspec.DecodeError as error:
        raise CorruptData(f"{path / LINKS_FILE} is damaged; remove {path} to make the demo anew") from error


async def _fill(control: Control, say: Say) -> None:
    say(f"registering {_BRAND} {_BRAND_EN}, its products and series")
    await control.add_tenant("", AddTenant(tenant=TENANT, name=f"{_BRAND} {_BRAND_EN}"))
    await control.add_domain(TENANT, AddDomain(host=DOMAIN, event_id=_event("domain")))
    for product in _PRODUCTS:
        await control.put_product(TENANT, _with_event(product, product.product))
    for series in _SERIES:
        await control.open_series(TENANT, _with_event(series, series.series))
    for order in _ORDERS:
        say(f"issuing {order.quantity:,} codes: {order.order}")
        await control.issue_order(TENANT, _with_event(order, order.order))
    say("importing codes of a former supplier")
    foreign = ImportAliases(order="labels-2019", series="labels-2019", texts=_FOREIGN, product="longjing-250")
    await control.import_aliases(TENANT, _with_event(foreign, foreign.order))
    for number, command in enumerate(_COMMANDS):
        kind = type(command).__name__.lower()
        say(f"{kind}: {command.reason}")
        await control.apply_command(TENANT, ApplyCommand(command=command, event_id=_event(f"{number} {kind}")))


def _event(step: str) -> str:
    return hashlib.sha256(f"demo {step}".encode()).hexdigest()[:32]


def _with_event[T: msgspec.Struct](request: T, step: str) -> T:
    return msgspec.structs.replace(request, event_id=_event(f"{type(request).__name__} {step}"))


def _links(directory: Directory) -> list[Link]:
    tins, cakes = _codes(directory, "tins-spring", "outer"), _codes(directory, "cakes-spring", "inner")
    outer = _codes(directory, "cakes-spring", "outer")
    genuine, longjing = tins(1), _PRODUCTS[0]
    return [
        Link("active: a tin in the shop", genuine, "genuine"),
        Link("the same as GS1 Digital Link", f"01/0{longjing.gtin}/10/{_ORDERS[0].lot}/21/{tins(2)}", "genuine"),
        Link("outer face of a tea cake", outer(1), "genuine"),
        Link("its inner face, under the seal", cakes(1), "genuine"),
        Link("not activated: still in the factory", tins(_ACTIVATED), "inactive"),
        Link("frozen: stolen in transit", cakes(1_000), "frozen"),
        Link("recalled: with instructions", cakes(2_000), "recalled"),
        Link("void: label spoilt", tins(_SPOILT), "void"),
        Link("forged: invented, check character right", _forged(directory), "unknown"),
        Link("mistyped: one character wrong", _mistyped(genuine), "mistyped"),
        Link("foreign: the former supplier's label", _FOREIGN[0], "genuine"),
    ]


def _codes(directory: Directory, order: str, face: str) -> Callable[[int], str]:
    """Code of the item at an index of an order."""
    slot, key = next((slot, key) for name, slot, key in directory.engine.export_keys(TENANT, order) if name == face)
    cipher = SlotCipher("base32", slot, key)
    first = msgspec.json.decode(directory.engine.order(TENANT, order), type=Order).first_serial
    return lambda index: cipher.encode(first + index).decode()


def _forged(directory: Directory) -> str:
    """A code under a slot that exists, made by somebody who knows everything but the key."""
    slot = directory.engine.export_keys(TENANT, _ORDERS[0].order)[0][1]
    return SlotCipher("base32", slot, secrets.token_bytes(16)).encode(1).decode()


def _mistyped(code: str) -> str:
    """The code with its middle character read wrongly."""
    middle = len(code) // 2
    return code[:middle] + ("7" if code[middle] != "7" else "1") + code[middle + 1 :]
