"""What else a server does while its scans are timed: an export of a large order, a stream of commands."""

import http.client
import sys
import threading
import time
from pathlib import Path
from typing import Self

import msgspec

from bench.cores import LOAD_CORE
from bench.http.directory import EXPORTED, Made
from bench.processes import output_of

_EXPORT = [sys.executable, "-m", "imp", "export", EXPORTED]
_EXPORT_LEAD_S = 1.0
_EXPORT_TIMEOUT_S = 240


class _Background(threading.Thread):
    """Something done again and again until the block that wants it ends; what is under way then is finished."""

    def __init__(self) -> None:
        super().__init__(name="beside", daemon=True)
        self.stop_wanted = threading.Event()
        self._failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stop_wanted.is_set():
                self.do()
        except Exception as error:  # noqa: BLE001 - raised in the block's thread
            self._failure = error

    def do(self) -> None:
        """One round."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_wanted.set()
        self.join()
        if self._failure is not None:
            raise self._failure


class Exports(_Background):
    """`imp export` of the large order as CSV beside the live server, one after the other.

    The command waits on the generator's core; the rows are made by a job process that the server starts on its own.
    seconds: of each finished export.
    """

    def __init__(self, made: Made, folder: Path) -> None:
        super().__init__()
        self._target = folder / "exported.csv"
        self._command = [*_EXPORT, "--dir", str(made.path), "--to", str(self._target)]
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        """Begun before the block: rows are being made when it starts."""
        super().__enter__()
        time.sleep(_EXPORT_LEAD_S)
        return self

    def do(self) -> None:
        """One export; its file is removed."""
        began = time.monotonic()
        output_of(self._command, core=LOAD_CORE, timeout_s=_EXPORT_TIMEOUT_S)
        self.seconds.append(time.monotonic() - began)
        self._target.unlink()
        self._target.with_name(f"{self._target.name}.manifest.json").unlink(missing_ok=True)


class Commands(_Background):
    """Commands over the API at a fixed rate: each is committed in SQL and flushed by the engine before the next.

    done, refused: commands by their answer; while the loop lags the server puts them off with 503.
    """

    def __init__(self, address: str, made: Made, per_s: float) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._headers = {"Authorization": f"Bearer {made.key}", "Content-Type": "application/json"}
        self._interval_s = 1 / per_s
        self._due = time.monotonic()
        self.done = 0
        self.refused = 0

    def do(self) -> None:
        """Freeze one more item when it is time. Of the large order: those that are scanned stay genuine."""
        if self.stop_wanted.wait(max(0.0, self._due - time.monotonic())):
            return
        self._due += self._interval_s
        scope = {"order": EXPORTED, "first": self.done + self.refused, "count": 1}
        command = {"command": "freeze", "scope": scope, "reason": "measured"}
        self._connection.request("POST", "/v1/commands", msgspec.json.encode({"command": command}), self._headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status == 200:
            self.done += 1
        else:
            self.refused += 1

    def __exit__(self, *raised: object) -> None:
        """Stop and hang up."""
        super().__exit__(*raised)
        self._connection.close()
