"""What the engine answers, as typed structs. Decoding ignores keys a struct does not know, so answers may grow."""

from typing import Literal

import msgspec

from imp.commands import Face, Format, Level, Pairing
from imp.errors import Refused

__all__ = [
    "Answer",
    "Catalogue",
    "EngineStatus",
    "ExportPlan",
    "FaceCounters",
    "Hold",
    "Lookup",
    "Order",
    "Report",
    "StateCounts",
    "report_of",
]


class _Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class StateCounts(_Result, frozen=True, kw_only=True, omit_defaults=False):
    """Items by effective state; every item is counted once."""

    issued: int = 0
    active: int = 0
    frozen: int = 0
    recalled: int = 0
    void: int = 0
    expired: int = 0


class Report(_Result, frozen=True, kw_only=True):
    """What a command did: items changed, already so, and skipped because they are terminal.

    by_state counts all items of the touched orders afterwards; hold is the one made or removed.
    """

    status: Literal["applied", "refused"]
    event_id: str = ""
    reason: str | None = None
    message: str | None = None
    changed: int = 0
    already: int = 0
    skipped: int = 0
    by_state: StateCounts = StateCounts()
    orders: list[str] = []
    epoch: int = 0
    hold: str | None = None
    holds: list[str] | None = None
    key_space: int | None = None
    first_serial: int | None = None
    quantity: int | None = None
    skipped_serials: int | None = None
    warnings: list[str] = []


class AnswerProduct(_Result, frozen=True, kw_only=True):
    gtin: str | None = None
    name: str | None = None
    brand: str | None = None


class Answer(_Result, frozen=True, kw_only=True, omit_defaults=False):
    """The answer to one scan. is_first: None where first checks do not count; first_at: RFC 3339, UTC."""

    verdict: str
    reasons: list[str] = []
    is_first: bool | None = None
    scans: int | None = None
    first_at: str | None = None
    recorded: bool = False
    code: str | None = None
    product: AnswerProduct | None = None
    lot: str | None = None
    message: str = ""


class Hold(_Result, frozen=True, kw_only=True):
    """A freeze or recall, named by the event id that made it. items: how many of the order it covers."""

    hold: str
    kind: Literal["freeze", "recall"]
    at_us: int = 0
    reason: str = ""
    items: int = 0


class FaceCounters(_Result, frozen=True, kw_only=True, omit_defaults=False):
    """One face of an item and how often it was scanned."""

    face: Face
    code: str | None = None
    scans: int = 0
    sessions: int = 0
    first_at_us: int | None = None
    last_at_us: int | None = None


class Lookup(_Result, frozen=True, kw_only=True, omit_defaults=False):
    """All that is known of one code; asking does not count as a scan. reason: why the state is unknown."""

    state: str
    reason: str | None = None
    code: str | None = None
    lifecycle: str | None = None
    holds: list[Hold] = []
    order: str | None = None
    product: str | None = None
    lot: str | None = None
    face: Face | None = None
    level: Level | None = None
    index: int | None = None
    serial: int | None = None
    key_space: int | None = None
    successor: str | None = None
    faces: list[FaceCounters] = []


class Order(_Result, frozen=True, kw_only=True, omit_defaults=False):
    """One order with exact counts by state.

    format: None for foreign codes; skipped_serials: left out by the word list.
    """

    order: str
    series: str
    epoch: int
    key_space: int
    level: Level
    format: Format | None
    product: str | None
    lot: str | None
    quantity: int
    first_serial: int
    skipped_serials: int
    issued_at_us: int
    expires_at_us: int | None
    by_state: StateCounts
    holds: list[Hold]


class PlannedFace(_Result, frozen=True, kw_only=True):
    face: Face
    slot: int


class ExportPlan(_Result, frozen=True, kw_only=True, omit_defaults=False):
    """What a job needs, besides keys, to derive an order's codes.

    Serials run from first_serial over `span`; left_out are those not to print (void, skipped) as [first, count] pairs
    in order; `count` are left to print.
    """

    order: str
    format: Format
    faces: list[PlannedFace]
    epoch: int
    key_bits: int
    domain: str
    product: str | None
    gtin: str | None
    lot: str | None
    first_serial: int
    quantity: int
    span: int
    left_out: list[tuple[int, int]]
    count: int


class CatalogueKeySpace(_Result, frozen=True, kw_only=True):
    """One epoch of a series. issued: serials used, skipped ones included; capacity: serials it may ever issue."""

    key_space: int
    series: str
    epoch: int
    domain: str
    format: Format
    level: Level
    pairing: Pairing
    key_bits: int
    nonce: str
    faces: list[PlannedFace]
    issued: int
    capacity: int


class CatalogueProduct(_Result, frozen=True, kw_only=True):
    product: str
    name: str
    gtin: str | None = None


class Catalogue(_Result, frozen=True, kw_only=True):
    """Domains, key spaces and products of a tenant as the engine knows them."""

    domains: list[str]
    key_spaces: list[CatalogueKeySpace]
    products: list[CatalogueProduct]


class EngineStatus(_Result, frozen=True, kw_only=True):
    """What decides of the engine's status. poisoned: why it stopped writing."""

    ready: bool
    poisoned: str | None = None


def report_of(report: bytes) -> Report:
    """A report as a struct; raises Refused when it tells of a refusal."""
    decoded = msgspec.json.decode(report, type=Report)
    if decoded.status == "refused":
        raise Refused(decoded.reason or "refused", decoded.message or "the command was refused", report)
    return decoded
