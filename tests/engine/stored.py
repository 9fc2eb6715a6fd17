"""Stored forms read by Python alone, from the tables in the core's documentation: records, events, leaves."""

import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FACES = ("outer", "inner")
ROLES = ("consumer", "dealer", "store", "inspector", "system", "risk")
DATUMS = ("wgs84", "gcj02")


@dataclass(frozen=True)
class Session:
    cookie: int
    address: int
    start_s: int


@dataclass(frozen=True)
class Record:
    """Scan record, version 1."""

    scans: int
    sessions: int
    first_us: int
    last_us: int
    kept: tuple[Session, ...]
    overflow: bool
    position: tuple[int, int, int, str] | None
    request: tuple[int, bool | None] | None


@dataclass(frozen=True)
class Event:
    """Scan event, version 1. item: (key space, serial, face)."""

    verdict: int
    role: str
    channel: int
    at_us: int
    scans: int
    cookie: int
    address: int
    item: tuple[int, int, str] | None
    is_first: bool | None
    opened_session: bool
    reasons: tuple[int, ...]
    text: bytes


def read_scan_key(key: bytes) -> tuple[int, int, str]:
    """Key space u32, serial u40, face u8, big-endian."""
    assert len(key) == 10
    return int.from_bytes(key[:4]), int.from_bytes(key[4:9]), FACES[key[9]]


def read_record(value: bytes) -> Record:
    """The table at the top of the record's module, little-endian; every byte must be accounted for."""
    assert len(value) <= 128
    version, flags, scans, sessions, first_us, last_us = struct.unpack_from("<BBIIqq", value)
    assert version == 1
    at = struct.calcsize("<BBIIqq")
    kept = []
    for _ in range(flags >> 5):
        kept.append(Session(*struct.unpack_from("<QQI", value, at)))
        at += 20
    position = None
    if flags & 2:
        lat_e7, lon_e7, accuracy_m, datum = struct.unpack_from("<iiHB", value, at)
        position = (lat_e7, lon_e7, accuracy_m, DATUMS[datum])
        at += 11
    request = None
    if flags & 4:
        request = (struct.unpack_from("<Q", value, at)[0], bool(flags & 16) if flags & 8 else None)
        at += 8
    assert at == len(value)
    return Record(scans, sessions, first_us, last_us, tuple(kept), bool(flags & 1), position, request)


def read_event_key(key: bytes) -> tuple[int, int]:
    """Stripe u16, number u64, big-endian."""
    assert len(key) == 10
    return int.from_bytes(key[:2]), int.from_bytes(key[2:])


def read_event(value: bytes) -> Event:
    """Fixed little-endian head, then what the flags announce."""
    version, flags, verdict, role, channel, at_us, _tenant, scans, cookie, address = struct.unpack_from(
        "<BBBBBqIIQQ", value
    )
    assert version == 1
    at = struct.calcsize("<BBBBBqIIQQ") + 8
    item = None
    if flags & 1:
        key_space, serial, face = struct.unpack_from("<I5sB", value, at)
        item = (key_space, int.from_bytes(serial, "little"), FACES[face])
        at += 10
    at += 7 if flags & 16 else 0
    at += 8 if flags & 32 else 0
    reasons = tuple(value[at + 1 : at + 1 + value[at]])
    text = value[at + 1 + value[at] :]
    is_first = bool(flags & 4) if flags & 2 else None
    return Event(
        verdict, ROLES[role], channel, at_us, scans, cookie, address, item, is_first, bool(flags & 8), reasons, text
    )


def read_leaf(value: bytes) -> dict[str, Any]:
    """A ledger leaf: canonical JSON, keys in order, no white space."""
    leaf = json.loads(value)
    again = json.dumps(leaf, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert again == value
    return leaf


def tree_root(leaves: Iterable[bytes]) -> str:
    """Merkle tree hash of RFC 6962, section 2.1, as hexadecimal digits."""

    def root(part: list[bytes]) -> bytes:
        if not part:
            return hashlib.sha256(b"").digest()
        if len(part) == 1:
            return hashlib.sha256(b"\x00" + part[0]).digest()
        split = 1 << (len(part) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + root(part[:split]) + root(part[split:])).digest()

    return root(list(leaves)).hex()
