"""Backup: the engine first, then SQL, so that the copy of SQL knows every command the copy of the engine has seen.

A backup is a directory: `engine/` (a checkpoint), `sql.sqlite3` (internal databases), `event-ids.sqlite3` (standalone
directories), `backup.json`. The master secret is not in it.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from imp.database_file import copy_sqlite
from imp.draft import Draft
from imp.errors import CorruptData, IncompatibleData, NotFound
from imp.files import write_whole
from imp.governance.event_ids import EVENT_IDS_NAME
from imp.governance.schemas import BackedUp

if TYPE_CHECKING:
    from imp.directory import Directory

__all__ = ["BackupRecord", "back_up", "read_backup"]

BACKUP_VERSION = 1
_NAME = "backup.json"


class BackupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. at_us and last_seqs: taken before the engine's checkpoint, so nothing earlier is missing."""

    kind: Literal["managed", "standalone"]
    database: Literal["internal", "external"] | None
    at_us: int
    last_seqs: dict[str, int]
    orders_need_epoch: dict[str, dict[str, int]] = {}
    version: int = BACKUP_VERSION


async def back_up(directory: "Directory", to: Path) -> BackedUp:
    """Copy a directory's state to the new directory `to`; the directory stays in use. Conflict when `to`
    holds something."""
    at_us = directory.clock()
    last_seqs = await asyncio.to_thread(_write, directory, to, at_us)
    return BackedUp(to=str(to), at_us=at_us, last_seqs=last_seqs, steps=_steps(directory, to))


def _write(directory: "Directory", to: Path, at_us: int) -> dict[str, int]:
    with Draft(to, last=_NAME, hint="name a new directory") as draft:
        last_seqs = directory.engine.last_seqs()  # before the checkpoint: what it names is in the copy for certain
        directory.engine.checkpoint(str(draft / "engine"))
        file = None if directory.managed is None else directory.managed.database.file
        if file is not None:
            copy_sqlite(file, draft / "sql.sqlite3")
        if (directory.path / EVENT_IDS_NAME).exists():
            copy_sqlite(directory.path / EVENT_IDS_NAME, draft / EVENT_IDS_NAME)
        record = BackupRecord(
            kind=directory.marker.kind,
            database=directory.marker.database,
            at_us=at_us,
            last_seqs=last_seqs,
            orders_need_epoch=directory.marker.orders_need_epoch,
        )
        write_whole(draft / _NAME, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    return last_seqs


def read_backup(path: Path) -> BackupRecord:
    """The record of a backup. Raises NotFound when the directory is none."""
    try:
        text = (path / _NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} is not a backup; hint: imp backup makes one") from None
    try:
        record = msgspec.json.decode(text, type=BackupRecord)
    except msgspec.DecodeError as error:
        raise CorruptData(f"{path / _NAME} is damaged: {error}") from error
    if record.version > BACKUP_VERSION:
        raise IncompatibleData(f"{path} was made by a newer version of IMP")
    return record


def _steps(directory: "Directory", to: Path) -> list[str]:
    steps = ["keep the master secret in another place: without it the backup opens nothing"]
    if directory.managed is not None and directory.managed.database.file is None:
        dump = f"pg_dump --format=custom --file={to / 'sql.dump'} {directory.managed.database.shown}"
        steps.insert(0, f"now copy the database: {dump}")
    return steps
