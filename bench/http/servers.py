"""IMP as a server: the real `imp serve`, and the documented route without the front before it."""

import http.client
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.cores import SERVER_CORE
from bench.http.directory import HOST
from bench.processes import ChildFailed, running, wait_until
from imp import runfile


@contextmanager
def imp_serve(directory: Path, *options: str) -> Iterator[str]:
    """Address of `imp serve` on a directory, on the server's core."""
    command = ["-m", "imp", "serve", "--dir", str(directory), "--port", "0", "--log-level", "warning", *options]
    with _served(command, directory) as address:
        yield address


@contextmanager
def litestar_route(directory: Path) -> Iterator[str]:
    """Address of a server whose scans all go through Litestar, on the server's core."""
    with _served(["-m", "bench.http.route_server", str(directory)], directory) as address:
        yield address


@contextmanager
def _served(arguments: Sequence[str], directory: Path) -> Iterator[str]:
    log = directory.parent / f"{directory.name}.log"
    with running([sys.executable, *arguments], log, core=SERVER_CORE) as process:
        wait_until(lambda: _is_ready(directory), "ready", process, log)
        run = runfile.read(directory)
        if run is None:
            raise ChildFailed(f"the server of {directory.name} left no {runfile.RUN_FILE}")
        yield run.address


def _is_ready(directory: Path) -> bool:
    run = runfile.live(directory)
    if run is None:
        return False
    try:
        return get(run.address, "/readyz")[0] == 200
    except OSError:
        return False


def get(address: str, path: str) -> tuple[int, bytes]:
    """Status and body of one GET under the scan domain."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": HOST, "Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
