"""`imp init`."""

from pathlib import Path

import click
import msgspec

from imp.cli import output
from imp.cli.door import live_owner
from imp.cli.options import directory_options, settings_of
from imp.directory import Directory
from imp.errors import StoreLocked

_NEXT = """\
next:
  imp tenant add acme --name 'Acme'
  imp domain add id.acme.example
  imp series open bottles --domain id.acme.example
  imp issue first --series bottles --quantity 1000
  imp export first --to first.csv"""


class Made(msgspec.Struct, frozen=True):
    """What `imp init --json` prints."""

    directory: str
    kind: str


@click.command("init")
@click.option("--standalone", is_flag=True, help="Without a database: for batch jobs and benchmarks; cannot be served.")
@directory_options
def init_(directory: Path | None, standalone: bool, as_json: bool) -> None:
    """Make a data directory: marker, master secret, engine store, database.

    The secret file is what every code hangs on: copy it to a safe place, apart from the backups.
    """
    settings = settings_of(directory)
    path = settings.directory
    owner = live_owner(path)
    if owner is not None:
        raise StoreLocked(f"{path} is served at http://{owner.address} by process {owner.pid}")
    Directory.init(path, settings, standalone=standalone)
    made = Made(str(path.resolve()), "standalone" if standalone else "managed")
    if as_json:
        output.document(msgspec.json.encode(made))
        return
    output.facts([("directory", made.directory), ("kind", made.kind)])
    if not standalone:
        output.note(_NEXT)
