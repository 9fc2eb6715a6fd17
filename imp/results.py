"""What the engine answers, as typed structs. Decoding ignores keys a struct does not know, so answers may grow."""

from typing import Literal

import msgspec

from imp.commands import Face, Format, Level, Pairing

__all__ = ["Answer", "ExportPlan", "FaceCounters", "Holds", "Lookup", "Order", "Report", "StateCounts"]


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
    """What a command did: items changed, already so, and skipped because they are terminal; counts of the touched orders after."""

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


class FaceCounters(_Result, frozen=True, kw_only=True):
    face: Face
    scans: int = 0
    sessions: int = 0
    first_at_us: int | None = None
    last_at_us: int | None = None


class Lookup(_Result, frozen=True, kw_only=True):
    """All that is known of one code; asking does not count as a scan."""

    state: str
    code: str | None = None
    lifecycle: str | None = None
    holds: list[str] = []
    order: str | None = None
    product: str | None = None
    lot: str | None = None
    face: Face | None = None
    index: int | None = None
    serial: int | None = None
    faces: list[FaceCounters] = []


class Order(_Result, frozen=True, kw_only=True, omit_defaults=False):
    """One order with exact counts by state."""

    order: str
    series: str
    quantity: int
    first_serial: int = 0
    epoch: int = 0
    product: str | None = None
    lot: str | None = None
    expires_at_us: int | None = None
    by_state: StateCounts = StateCounts()
    holds: list[str] = []


class Holds(_Result, frozen=True, kw_only=True):
    """A freeze or recall that covers items of an order."""

    hold: str
    kind: Literal["freeze", "recall"]


class PlannedFace(_Result, frozen=True, kw_only=True):
    face: Face
    slot: int


class ExportPlan(_Result, frozen=True, kw_only=True):
    """What a job needs, besides keys, to derive an order's codes. left_out: serials not to print, as [first, count] pairs in order."""

    order: str
    format: Format
    faces: list[PlannedFace]
    epoch: int
    first_serial: int
    quantity: int
    left_out: list[tuple[int, int]] = []
    count: int = 0


class CatalogueKeySpace(_Result, frozen=True, kw_only=True):
    """One epoch of a series. issued: serials used, skipped ones included; capacity: serials it may ever issue."""

    series: str
    epoch: int
    domain: str
    format: Format
    level: Level = "item"
    pairing: Pairing = "single"
    key_bits: int = 128
    nonce: str = ""
    faces: list[PlannedFace] = []
    key_space: int = 0
    issued: int = 0
    capacity: int = 0


class CatalogueProduct(_Result, frozen=True, kw_only=True):
    product: str
    name: str
    gtin: str | None = None


class Catalogue(_Result, frozen=True, kw_only=True):
    """Domains, key spaces and products of a tenant as the engine knows them."""

    domains: list[str] = []
    key_spaces: list[CatalogueKeySpace] = []
    products: list[CatalogueProduct] = []
