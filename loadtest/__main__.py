"""`python -m loadtest [--seconds 60] [--users 200] [--shape ramp]`: the whole run, from empty directory to exit code.

0: service levels held. 1: broken. 2: the load could not be run.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.cores import LOAD_CORE, pinned
from bench.http.servers import imp_serve
from bench.machine import ROOT
from bench.processes import ChildFailed, stop
from loadtest.shapes import SHAPES
from loadtest.stage import build, codes_needed

_SPARE_S = 60
"""Time beyond the run that locust may take to start and to end."""


def main() -> int:
    """Make a directory, serve it, load it, stop everything."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that server and load are stopped
    with tempfile.TemporaryDirectory(prefix="imp-load-") as folder:
        directory, stage_file = Path(folder, "directory"), Path(folder, "stage.json")
        quantity = codes_needed(asked.users, asked.seconds)
        _say(f"issuing {quantity:,} codes")
        stage_file.write_bytes(msgspec.json.encode(build(directory, quantity)))
        try:
            # Users come through a proxy on this machine that names their addresses.
            with imp_serve(directory, "--trusted-proxy", "127.0.0.1/32", "--insecure-cookie") as address:
                _say(f"{asked.shape}: up to {asked.users} users for {asked.seconds} s at http://{address}/")
                return _load(address, stage_file, asked)
        except ChildFailed as error:
            print(f"error: {error}", file=sys.stderr)
            return 2


def _load(address: str, stage_file: Path, asked: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "--headless", "--loglevel", "WARNING"]
    settings = {
        "LOADTEST_STAGE": str(stage_file),
        "LOADTEST_SHAPE": asked.shape,
        "LOADTEST_USERS": str(asked.users),
        "LOADTEST_SECONDS": str(asked.seconds),
    }
    shown = None if asked.verbose else subprocess.DEVNULL
    locust = subprocess.Popen(
        pinned([*command, "--skip-log-setup", "--host", f"http://{address}"], LOAD_CORE),
        cwd=ROOT,
        env=os.environ | settings,
        stderr=shown,
    )
    try:
        return locust.wait(asked.seconds + _SPARE_S)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"locust did not end {_SPARE_S} s after the run") from None
    finally:
        stop(locust)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m loadtest", description="Load a server of its own; the levels judge.")
    parser.add_argument("--seconds", type=int, default=60, help="length of the run [60]")
    parser.add_argument("--users", type=int, default=200, help="users at the height of the run [200]")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="spike", help="how users come and go [spike]")
    parser.add_argument("--verbose", action="store_true", help="show what locust says meanwhile")
    asked = parser.parse_args()
    if asked.seconds < 5 or asked.users < 10:
        parser.error("a run takes at least 5 seconds and 10 users, so that every kind of user takes part")
    return asked


if __name__ == "__main__":
    sys.exit(main())
