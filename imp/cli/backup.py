"""`imp backup`, `imp restore`."""

import asyncio
from pathlib import Path

import click
import msgspec

from imp.cli import output
from imp.cli.door import live_owner
from imp.cli.options import directory_options, dry_run_option, session, settings_of, yes_option
from imp.errors import StoreLocked
from imp.governance.backup import BackupRecord, read_backup
from imp.governance.restore import restore
from imp.governance.schemas import AcceptRestore, BackedUp, Backup, Restored, Status

_folder = click.Path(path_type=Path, exists=True, file_okay=False)
_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("backup")
@click.argument("to", type=click.Path(path_type=Path))
@directory_options
def backup_(directory: Path | None, to: Path, as_json: bool) -> None:
    """Copy engine and database to the new directory TO, while scans go on.

    The master secret is not in it: keep that apart. A database outside the directory is left to its own tools; what is
    to be done is printed.
    """
    with session(directory, "", as_json=as_json) as opened, output.busy("copying"):
        answer = opened.door.raw("backup", "", Backup(to=str(to.absolute())))
    opened.print(answer, BackedUp, _show_backup)


@click.command("restore")
@click.argument("backup", type=_folder, required=False)
@click.option("--secret", "secret_file", type=_file, help="File with the master secret, copied into the directory.")
@click.option("--sql", type=_file, help="A newer SQLite database that survived: its commands are applied again.")
@click.option("--accept", is_flag=True, help="Accept that first checks in the window may repeat; allows claims.")
@dry_run_option
@yes_option
@directory_options
def restore_(
    *,
    directory: Path | None,
    backup: Path | None,
    secret_file: Path | None,
    sql: Path | None,
    accept: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make the data directory --dir from BACKUP; it must not exist yet or be empty.

    Nothing issued after the backup can be issued again: every series opens a new epoch with its next order. Scans after
    the backup are lost, so first checks in that window may repeat; look at it, then: imp restore --accept.
    """
    if accept and backup is None:
        _accept(directory, yes=yes, as_json=as_json)
        return
    if accept or backup is None:
        raise click.UsageError("give either BACKUP or --accept")
    settings = settings_of(directory)
    owner = live_owner(settings.directory)
    if owner is not None:
        raise StoreLocked(f"{settings.directory} is served at http://{owner.address} by process {owner.pid}")
    if dry_run:
        record = read_backup(backup)
        if as_json:
            output.document(msgspec.json.encode(record))
        else:
            _show_record(record, settings.directory)
        return
    output.confirm(f"make {settings.directory} from {backup}?", yes=yes)
    with output.busy("restoring"):
        done = asyncio.run(restore(backup, settings.directory, settings, sql=sql, secret_file=secret_file))
    if as_json:
        output.document(msgspec.json.encode(done))
    else:
        _show_restored(done)


def _accept(directory: Path | None, *, yes: bool, as_json: bool) -> None:
    output.confirm("accept that first checks and redemptions in the window may repeat?", yes=yes)
    with session(directory, "", as_json=as_json) as opened:
        answer = opened.door.raw("accept_restore", "", AcceptRestore())
        opened.print(answer, Status, lambda status: output.facts([("accepted", True), ("ready", status.ready)]))


def _show_backup(done: BackedUp) -> None:
    commands = [f"{tenant} {seq}" for tenant, seq in done.last_seqs.items()]
    output.facts([("backup", done.to), ("taken", output.day_time(done.at_us)), ("last commands", commands)])
    for step in done.steps:
        output.note(f"left to do: {step}")


def _show_record(record: BackupRecord, to: Path) -> None:
    output.facts(
        [
            ("would make", to),
            ("kind", record.kind),
            ("taken", output.day_time(record.at_us)),
            ("database", record.database),
        ]
    )


def _show_restored(done: Restored) -> None:
    output.facts(
        [
            ("directory", done.to),
            ("scans may repeat from", output.day_time(done.backup_at_us)),
            ("until", output.day_time(done.restored_at_us)),
            ("commands applied again", [f"{tenant} {count}" for tenant, count in done.reapplied.items()]),
            ("series that open a new epoch", done.series),
            ("ledger that ended", f"number {done.old_ledger.origin}, {done.old_ledger.size} leaves"),
        ]
    )
    output.note("claims are refused until you accept this window: imp restore --accept")
