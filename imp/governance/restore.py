"""Restore: a new directory from a backup, in which nothing that was issued since can be issued again.

What a newer SQL database still knows is applied again in its own epochs. After that the next order of every series
opens a new epoch with fresh slots and keys, because serials issued after the backup may be unknown here. Scans since
the backup are gone: a code first scanned in that time will be told "first" once more, so the operator must accept the
window. The ledger goes on as another one, whose first leaf names the head of the old: leaves written since the backup
may be elsewhere, and two histories must never pass for one.
"""

import asyncio
import shutil
import uuid
from pathlib import Path

import msgspec
from sqlalchemy import func, select

from imp.clock import Clock, system_clock
from imp.database_file import copy_sqlite
from imp.directory import Directory
from imp.draft import Draft
from imp.errors import NotFound, StorageError, invalid
from imp.governance.backup import BackupRecord, read_backup
from imp.governance.event_ids import EVENT_IDS_NAME
from imp.governance.schemas import LedgerHead, Restored
from imp.marker import MARKER_NAME, Marker, RestoreMark, write_marker
from imp.registry.models import KeySpaceEntry, SeriesEntry
from imp.results import Catalogue
from imp.secret import is_elsewhere, make_secret_file, read_secret_file
from imp.settings import Settings

__all__ = ["restore"]


async def restore(
    backup: Path,
    to: Path,
    settings: Settings | None = None,
    *,
    sql: Path | None = None,
    secret_file: Path | None = None,
    clock: Clock = system_clock,
) -> Restored:
    """Make the data directory `to` from a backup.

    sql: a newer SQLite database that survived; its commands after the backup are applied again. An external database
    is the one the settings name, whether it survived or came back by pg_restore. secret_file: master secret to put
    into the directory; not needed when the settings take it from elsewhere. Raises Conflict when `to` holds
    something, NotFound, WrongSecret, OutOfStep.
    """
    settings = settings or Settings()
    record = await asyncio.to_thread(read_backup, backup)
    _check(record, settings, sql, secret_file)
    now_us = clock()
    hint = "stop its server and move it aside, its database and secret may be of use"
    with Draft(to, last=MARKER_NAME, hint=hint) as draft:
        mark = RestoreMark(backup_at_us=record.at_us, restored_at_us=now_us)
        await asyncio.to_thread(_lay_out, record, mark, draft, backup, sql or backup / "sql.sqlite3")
        if secret_file is not None:
            make_secret_file(draft / "secret", read_secret_file(secret_file))
        async with await Directory.open(draft, settings, clock=clock) as directory:
            series = await _demand_new_epochs(directory)
            reapplied = directory.reapplied
            old_ledger = await asyncio.to_thread(_renew_ledger, directory, mark)
    return Restored(
        to=str(to),
        backup_at_us=record.at_us,
        restored_at_us=now_us,
        reapplied=reapplied,
        series=series,
        old_ledger=old_ledger,
    )


def _check(record: BackupRecord, settings: Settings, sql: Path | None, secret_file: Path | None) -> None:
    if sql is not None and record.database != "internal":
        raise invalid("sql", "only a backup of a directory with its own SQLite database takes one")
    if secret_file is None and not is_elsewhere(settings):
        raise NotFound("a backup holds no master secret; hint: --secret FILE (such as `secret` in the old directory)")
    if secret_file is not None and is_elsewhere(settings):
        raise invalid("secret_file", "the settings take the master secret from elsewhere; name it only once")


def _renew_ledger(directory: Directory, mark: RestoreMark) -> LedgerHead:
    # The number of the copy keeps two restores of one backup apart, even at the same microsecond.
    reason = f"restored from the backup of {mark.backup_at_us} as copy {uuid.uuid4().hex}"
    old = directory.engine.renew_ledger("restore", mark.restored_at_us, reason)
    return msgspec.json.decode(old, type=LedgerHead)


def _lay_out(record: BackupRecord, mark: RestoreMark, draft: Path, backup: Path, sql: Path) -> None:
    try:
        shutil.copytree(backup / "engine", draft / "engine")
    except OSError as error:
        raise StorageError(f"{backup / 'engine'} cannot be copied: {error}") from error
    if (backup / EVENT_IDS_NAME).exists():
        copy_sqlite(backup / EVENT_IDS_NAME, draft / EVENT_IDS_NAME)
    if record.database == "internal":
        copy_sqlite(sql, draft / "sql.sqlite3")
    marker = Marker(
        kind=record.kind,
        database=record.database,
        created_at_us=mark.restored_at_us,
        restored=mark,
        orders_need_epoch=record.orders_need_epoch,
    )
    write_marker(draft, marker)


async def _demand_new_epochs(directory: Directory) -> int:
    """Make the next order of every series wait for an epoch that no one has seen. Returns the number of series."""
    if directory.managed is None:
        needed = {tenant: _next_epochs(directory, tenant) for tenant in directory.engine.last_seqs()}
        directory.mark(msgspec.structs.replace(directory.marker, orders_need_epoch=needed))
        return sum(len(series) for series in needed.values())
    newest = select(KeySpaceEntry.tenant, KeySpaceEntry.series, func.max(KeySpaceEntry.epoch))
    async with directory.managed.database.writing(None) as session:
        rows = await session.execute(newest.group_by(KeySpaceEntry.tenant, KeySpaceEntry.series))
        epochs = {(tenant, series): epoch for tenant, series, epoch in rows}
        entries = list(await session.scalars(select(SeriesEntry)))
        for entry in entries:
            entry.orders_need_epoch = epochs.get((entry.tenant, entry.series), 0) + 1
    return len(entries)


def _next_epochs(directory: Directory, tenant: str) -> dict[str, int]:
    catalogue = msgspec.json.decode(directory.engine.catalogue(tenant), type=Catalogue)
    spaces = sorted(catalogue.key_spaces, key=lambda space: space.epoch)
    return {space.series: space.epoch + 1 for space in spaces}
