"""What commands print: rich tables on a terminal, plain lines in a pipe, one JSON document with --json."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import cast

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from imp.cli.failures import INTERRUPTED

_PLAIN_PROGRESS_S = 5.0
_PATIENCE_S = 2.0

Row = Sequence[object]


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def note(text: str) -> None:
    """A message for the person at the terminal; never part of the result."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """A warning: the command goes on."""
    click.echo(f"warning: {text}", err=True)


def document(data: bytes) -> None:
    """The JSON document of a command run with --json."""
    sys.stdout.write(data.decode().rstrip() + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Rows under column names; in a pipe tab-separated with a line of names first."""
    if not is_terminal():
        for row in (columns, *rows):
            click.echo("\t".join(_plain(value) for value in row))
        return
    grid = Table(title=title or None, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(escape(_plain(value)) for value in row))
    Console(highlight=False).print(grid)


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """Names and values, one a line; values that are None or empty are left out."""
    known = [(name, _plain(value)) for name, value in pairs if value not in (None, "", [], {}, ())]
    if not is_terminal():
        for name, value in known:
            click.echo(f"{name}: {value}")
        return
    grid = Table.grid(padding=(0, 2))
    for name, value in known:
        grid.add_row(f"[dim]{name}[/dim]", escape(value))
    Console(highlight=False).print(grid)


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if is_terminal() else str(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, cast("Row", value)))
    return str(value)


Advance = Callable[[int], None]
"""Called with how much of the total is done."""


@contextlib.contextmanager
def progress(doing: str, total: int) -> Generator[Advance]:
    """A progress bar on standard error; in a pipe a line every few seconds."""
    if not sys.stderr.isatty():
        yield _plain_progress(doing, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextlib.contextmanager
def busy(doing: str) -> Generator[None]:
    """A spinner on standard error for work of unknown length; in a pipe one line when it takes long."""
    if not sys.stderr.isatty():
        patience = threading.Timer(_PATIENCE_S, note, (f"{doing} …",))
        patience.daemon = True
        patience.start()
        try:
            yield
        finally:
            patience.cancel()
        return
    with Progress(SpinnerColumn(), TextColumn(doing), console=Console(stderr=True), transient=True) as bar:
        bar.add_task("")
        yield


def _plain_progress(doing: str, total: int) -> Advance:
    said_at = time.monotonic()

    def advance(done: int) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= _PLAIN_PROGRESS_S:
            said_at = time.monotonic()
            note(f"{doing}: {done:,} of {total:,}")

    return advance


def confirm(question: str, *, yes: bool) -> None:
    """Ask before a dangerous act; without a terminal only --yes lets it pass."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("this needs a confirmation: look at it with --dry-run, then repeat with --yes")
    if not click.confirm(question, err=True):
        note("nothing was changed")
        raise click.exceptions.Exit(INTERRUPTED)


def day_time(at_us: int | None) -> str | None:
    """Microseconds since the epoch as UTC text."""
    if at_us is None:
        return None
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_us / 1_000_000))
