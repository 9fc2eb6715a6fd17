"""`imp demo`."""

import asyncio
import shutil
from pathlib import Path

import click
import msgspec

from imp import demo, runfile
from imp.cli import output
from imp.cli.failures import Hinted
from imp.cli.options import settings_of
from imp.errors import InvalidInput
from imp.server import bind, serve

_DIRECTORY = Path("var/demo")
_TABLE_COLUMNS = 140


@click.command("demo")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=_DIRECTORY, show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True)
@click.option("--no-serve", is_flag=True, help="Only make it and print its links.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and do not serve.")
def demo_(directory: Path, port: int, no_serve: bool, as_json: bool) -> int:
    """A demo brand with 1,000,000 codes: make it (once), print links to try, serve them until Ctrl-C.

    Scans are kept from one run to the next; remove the directory to start anew.
    """
    settings = settings_of(directory, port=port, default_domain=demo.DOMAIN, cookie_secure=False)
    owner = runfile.live(directory)
    if owner is not None:
        links = demo.read_links(directory)
        output.note(f"the demo is already served by process {owner.pid}; its links:")
        _show(links, f"http://{owner.address}/", as_json=as_json)
        return 0
    serves = not (no_serve or as_json)
    if serves:
        _need_port(settings.host, port)
    links = asyncio.run(demo.make(directory, settings, output.note))
    _show(links, f"http://{settings.host}:{port}/", as_json=as_json)
    if serves:
        output.note("open them in a browser, or: curl LINK     stop with Ctrl-C")
        return serve(settings)
    return 0


def _need_port(host: str, port: int) -> None:
    """Say that the port is taken before any work."""
    try:
        bind(host, port).close()
    except InvalidInput as error:
        raise Hinted(error, f"make demo PORT={port + 1}, or: imp demo --port {port + 1}") from error


def _show(links: list[demo.Link], base: str, *, as_json: bool) -> None:
    full = [msgspec.structs.replace(link, path=base + link.path) for link in links]
    if as_json:
        output.document(
            msgspec.json.encode([{"shows": link.shows, "link": link.path, "verdict": link.verdict} for link in full])
        )
        return
    if output.is_terminal() and shutil.get_terminal_size().columns < _TABLE_COLUMNS:
        for link in full:  # a link that is broken over two lines cannot be clicked
            click.echo(f"{link.shows}: {link.verdict}\n  {link.path}")
        return
    output.table("", ("shows", "link", "first scan answers"), [(link.shows, link.path, link.verdict) for link in full])
