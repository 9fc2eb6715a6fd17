"""`python -m bench.http.route_server DIRECTORY`: IMP's Litestar application without the front.

Every scan takes the documented route: router, dependency, typed path parameter, response; the engine call is the same.
"""

import os
import sys
from functools import partial
from pathlib import Path

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server.mp import MPServer
from litestar import Litestar

from bench.processes import free_port
from imp.errors import ImpError
from imp.server import die_with_parent
from imp.settings import Settings


def main() -> None:
    """Serve as `imp serve` does: one worker, uvloop, HTTP/1, no access log."""
    directory, port = Path(sys.argv[1]), free_port()
    server = MPServer(
        "imp.app",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        workers=1,
        backlog=1_024,
        log_enabled=False,
    )
    server.serve(target_loader=partial(_load, directory, f"127.0.0.1:{port}", os.getpid()), wrap_loader=False)


def _load(directory: Path, address: str, parent_pid: int) -> Litestar:
    die_with_parent(parent_pid)
    # The parent forks before the application's threads exist.
    from imp.app import create_app  # noqa: PLC0415
    from imp.asgi import ScanLatency  # noqa: PLC0415
    from imp.degrade import LoopLag  # noqa: PLC0415
    from imp.lifespan import serving  # noqa: PLC0415

    lag = LoopLag()
    return create_app(serving(Settings(directory=directory), address, lag, _say), lag, ScanLatency())


def _say(error: ImpError) -> None:
    print(f"cannot start: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
