"""The marker file `imp.json` that makes a directory a data directory: its kind, and what a restore left to be done."""

from pathlib import Path
from typing import Literal

import msgspec

from imp.errors import CorruptData, IncompatibleData, NotFound
from imp.files import write_whole

__all__ = ["MARKER_NAME", "Marker", "RestoreMark", "read_marker", "write_marker"]

MARKER_VERSION = 1
MARKER_NAME = "imp.json"


class RestoreMark(msgspec.Struct, frozen=True, kw_only=True):
    """A restore happened: scans and redemptions between the two times may repeat until the operator accepts it."""

    backup_at_us: int
    restored_at_us: int
    accepted_at_us: int | None = None


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """database: "internal" is SQLite inside the directory, "external" an address in the settings, None no SQL at all.

    orders_need_epoch: standalone only, by tenant and series: orders wait for an epoch of at least this number.
    """

    kind: Literal["managed", "standalone"]
    database: Literal["internal", "external"] | None
    created_at_us: int
    version: int = MARKER_VERSION
    restored: RestoreMark | None = None
    orders_need_epoch: dict[str, dict[str, int]] = {}


def read_marker(directory: Path) -> Marker:
    """The directory's marker. Raises NotFound when it is no data directory."""
    try:
        text = (directory / MARKER_NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{directory} is not a data directory; hint: imp init --dir {directory}") from None
    try:
        version = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("version", msgspec.Raw(b"0"))
        if msgspec.json.decode(version, type=int) > MARKER_VERSION:
            raise IncompatibleData(f"{directory} was made by a newer version of IMP")
        return msgspec.json.decode(text, type=Marker)
    except msgspec.DecodeError as error:
        raise CorruptData(f"{directory / MARKER_NAME} is damaged: {error}") from error


def write_marker(directory: Path, marker: Marker) -> None:
    """Replace the directory's marker, whole or not at all."""
    write_whole(directory / MARKER_NAME, msgspec.json.format(msgspec.json.encode(marker), indent=2) + b"\n")
