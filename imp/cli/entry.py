"""The `imp` command: its list of commands, exit codes, and what a failure looks like."""

import importlib
import sys
from typing import NamedTuple, override

import click

from imp.cli.failures import report

EXIT_CODES = """\b
Exit codes:
  0  done
  1  unexpected failure
  2  usage, or input that is not acceptable
  3  refused: by a rule, a conflict or missing rights
  4  not found
  5  busy, or the data directory has another owner
  6  storage, secret or data: the file system refused, something is damaged or does not fit
  130  interrupted"""


class _Entry(NamedTuple):
    """Where a command lives and what `imp --help` says of it without loading it."""

    module: str
    help: str


COMMANDS = {
    "init": _Entry("imp.cli.init", "Make a data directory."),
    "tenant": _Entry("imp.cli.registry", "Brand owners: add, list."),
    "domain": _Entry("imp.cli.registry", "Scan domains: add."),
    "product": _Entry("imp.cli.registry", "Products: put, show, list."),
    "series": _Entry("imp.cli.registry", "Series of codes: open, renew, list."),
    "key": _Entry("imp.cli.keys", "API keys: create, list, revoke."),
    "issue": _Entry("imp.cli.issuing", "Issue an order of codes."),
    "order": _Entry("imp.cli.issuing", "Orders: show, list."),
    "export": _Entry("imp.cli.exporting", "Write an order's codes for a printer or supplier."),
    "import": _Entry("imp.cli.importing", "Take foreign codes in."),
    "state": _Entry("imp.cli.state", "Activate, freeze, unfreeze, void, replace, recall."),
    "scan": _Entry("imp.cli.scanning", "Scan codes; counts like every scan."),
    "lookup": _Entry("imp.cli.scanning", "Show all that is known of a code; counts nothing."),
    "serve": _Entry("imp.cli.serving", "Answer scans and the API over HTTP."),
    "demo": _Entry("imp.cli.demo", "A demo brand with a million codes, served."),
    "doctor": _Entry("imp.cli.doctor", "Check machine, directory and engine."),
    "bench": _Entry("imp.cli.bench", "Measure this machine in a few seconds."),
    "backup": _Entry("imp.cli.backup", "Copy engine and database to a new directory."),
    "restore": _Entry("imp.cli.backup", "Make a data directory from a backup."),
}


class _Lazy(click.Group):
    """Loads the module of a command when it is called."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(entry.module)
        return getattr(module, f"{cmd_name}_")

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from imp import __version__  # noqa: PLC0415  # loads the native module, which help does without

        click.echo(f"imp {__version__}")
        ctx.exit()


@click.group(cls=_Lazy, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def imp() -> None:
    """Issue product codes, keep their state, answer their scans.

    Every command works on a data directory (--dir, IMP_DIRECTORY; default var/imp), through its live server when one
    owns it. With --json a command prints exactly one JSON document on standard output; messages go to standard error.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = imp.main(arguments, prog_name="imp", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001  # the last frame: every failure becomes a message and an exit code
        sys.exit(report(error, as_json="--json" in arguments))
    sys.exit(code if isinstance(code, int) else 0)
