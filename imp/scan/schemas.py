"""Requests and responses of scans over the API."""

from typing import Annotated, Literal

import msgspec

from imp.commands import Micros
from imp.governance.schemas import Role
from imp.results import Answer
from imp.wire import CALLER_TEXT_BYTES_MAX, Request, check_caller_texts

SCANS_PER_BATCH_MAX = 1_000

Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
CallerText = Annotated[str, msgspec.Meta(min_length=1, max_length=CALLER_TEXT_BYTES_MAX)]
Metres = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Position(Request, frozen=True, kw_only=True):
    """Where the scan happened: degrees, radius of 68 % confidence in metres, datum (Chinese map services: gcj02)."""

    lat: Latitude
    lon: Longitude
    accuracy_m: Metres
    datum: Literal["wgs84", "gcj02"] = "wgs84"


class Scan(Request, frozen=True, kw_only=True):
    """One scan that a system passes on.

    code: the scanned text, at most 1,024 characters are taken; what is no code is an answer, not an error.
    role: default is the role of the API key; a key may also scan as `consumer`, whose scans open sessions.
    channel: the caller's own number of its channel. device: opaque id of the device; without one, address and
    user_agent stand for it. idempotency_key: repeating the API key's last one for a code adds no scan. Both have 1 to
    128 bytes in UTF-8. at_us: the caller's time, kept in the event only. count: false looks without counting. gtin and
    lot: what the scanned link claims.
    """

    code: Annotated[str, msgspec.Meta(max_length=1_024)]
    role: Role | None = None
    channel: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    device: CallerText | None = None
    address: Annotated[str, msgspec.Meta(max_length=45)] | None = None
    user_agent: Annotated[str, msgspec.Meta(max_length=1_024)] | None = None
    position: Position | None = None
    language: Literal["zh", "en"] = "zh"
    idempotency_key: CallerText | None = None
    at_us: Micros | None = None
    count: bool = True
    gtin: Annotated[str, msgspec.Meta(max_length=14)] | None = None
    lot: Annotated[str, msgspec.Meta(max_length=64)] | None = None

    def __post_init__(self) -> None:
        check_caller_texts(device=self.device, idempotency_key=self.idempotency_key)


class ScanBatch(Request, frozen=True, kw_only=True):
    """Up to 1,000 scans, answered in their order."""

    scans: Annotated[list[Scan], msgspec.Meta(min_length=1, max_length=SCANS_PER_BATCH_MAX)]


class ScanAnswers(msgspec.Struct, frozen=True):
    """Answers in the order of the scans."""

    answers: list[Answer]
