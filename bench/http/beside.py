"""What else a server does while its scans are timed: an export of a large order, a stream of commands."""

import http.client
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.cores import LOAD_CORE
from bench.http.directory import EXPORTED, Made
from bench.processes import ChildFailed, running

EXPORT_TIMEOUT_S = 240


class Export:
    """An export under way. seconds: how long it took, once it is done."""

    def __init__(self) -> None:
        self.seconds = 0.0


@contextmanager
def export(made: Made, folder: Path) -> Iterator[Export]:
    """`imp export` of the large order as CSV beside the live server, begun before the block and finished after it.

    The command waits on the generator's core; the rows are made by a job process that the server starts on its own.
    """
    target, log = folder / "exported.csv", folder / "export.log"
    command = [sys.executable, "-m", "imp", "export", EXPORTED, "--dir", str(made.path), "--to", str(target)]
    found, began = Export(), time.monotonic()
    with running(command, log, core=LOAD_CORE) as process:
        time.sleep(1)  # until rows are made
        yield found
        code = process.wait(EXPORT_TIMEOUT_S)
        found.seconds = time.monotonic() - began
    if code != 0:
        raise ChildFailed(f"the export failed\n{log.read_text(errors='replace')[-2_000:]}")
    target.unlink()


class Commands(threading.Thread):
    """Commands over the API at a fixed rate: each is committed in SQL and flushed by the engine before the next."""

    def __init__(self, address: str, made: Made, per_s: float) -> None:
        super().__init__(name="commands", daemon=True)
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._headers = {"Authorization": f"Bearer {made.key}", "Content-Type": "application/json"}
        self._interval_s = 1 / per_s
        self._stop_wanted = threading.Event()
        self.done = 0
        self.refused = 0

    def run(self) -> None:
        due = time.monotonic()
        while not self._stop_wanted.wait(max(0.0, due - time.monotonic())):
            due += self._interval_s
            self._freeze_one(self.done + self.refused)

    def _freeze_one(self, index: int) -> None:
        # Items of the large order: those that are scanned stay genuine.
        command = {"command": "freeze", "scope": {"order": EXPORTED, "first": index, "count": 1}, "reason": "measured"}
        self._connection.request("POST", "/v1/commands", msgspec.json.encode({"command": command}), self._headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status == 200:
            self.done += 1
        else:
            self.refused += 1

    def finish(self) -> None:
        """Stop after the command under way."""
        self._stop_wanted.set()
        self.join()
        self._connection.close()


@contextmanager
def commands(address: str, made: Made, per_s: float) -> Iterator[Commands]:
    """A stream of commands while the block runs."""
    stream = Commands(address, made, per_s)
    stream.start()
    try:
        yield stream
    finally:
        stream.finish()
