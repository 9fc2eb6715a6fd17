"""An engine in a process of its own, which a test may kill, starve of disk or lock out.

Started as `python -m tests.engine.remote`, possibly inside a wrapper that changes its world; pickled calls on stdin,
pickled results on stdout. Errors come back by the name of their kind.
"""

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.engine.brand import SECRET, Brand
from tests.engine.foreign_store import ROOT


class RemoteError(Exception):
    """What the engine raised over there: the kind's name and its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message


class RemoteEngine:
    """Any method of the engine, called over there; contexts are dictionaries. Leaving the block kills the process."""

    def __init__(self, wrapper: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "tests.engine.remote"],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.send(method, *arguments, **options)
            return self.receive()

        return call

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, method: str, *arguments: Any, **options: Any) -> None:
        """Begin a call; `receive` waits for its result."""
        assert self._process.stdin is not None
        pickle.dump((method, arguments, options), self._process.stdin)
        self._process.stdin.flush()

    def receive(self) -> Any:
        assert self._process.stdout is not None
        error, result = pickle.load(self._process.stdout)
        if error is not None:
            raise RemoteError(*error)
        return result

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait until it has ended; its return code."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return self._process.wait(timeout=60)

    def brand(self) -> Brand:
        """The tenant of that engine."""
        brand = Brand(self)  # type: ignore[arg-type]
        brand.context = dict
        return brand


class _Server:
    """The other side."""

    def __init__(self) -> None:
        self.engine: Any = None

    def open(self, path: Path, *, secret: bytes = SECRET, **options: Any) -> dict[str, float]:
        """Open the engine; the processor time and the wall time that took, in seconds."""
        from tests.engine.brand import open_engine

        began, cpu = time.monotonic(), time.process_time()
        self.engine = open_engine(path, secret=secret, **options)
        return {"wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}

    def limit_file_size(self, directory: Path, spare_bytes: int) -> None:
        """Files grow so much further, and then fail as on a full disk (the interpreter ignores SIGXFSZ)."""
        largest = max(file.stat().st_size for file in directory.iterdir())
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + spare_bytes, hard))

    def lift_file_size_limit(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    def fill_disk(self, ballast: Path, spare_bytes: int) -> None:
        """Leave so much room on the disk."""
        disk = os.statvfs(ballast.parent)
        ballast.write_bytes(bytes(disk.f_bavail * disk.f_frsize - spare_bytes))

    def remove_file(self, path: Path) -> None:
        path.unlink()

    def call(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if own := getattr(type(self), method, None):
            return own(self, *arguments, **options)
        if method in ("scan", "scan_many"):
            from imp._core import ScanContext

            arguments = (*arguments[:2], ScanContext(**arguments[2]), *arguments[3:])
        return getattr(self.engine, method)(*arguments, **options)

    def serve(self) -> None:
        while True:
            try:
                method, arguments, options = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            is_last = options.pop("and_die", False)
            try:
                answer = (None, self.call(method, arguments, options))
            except Exception as error:  # noqa: BLE001 - every error goes back by its kind
                answer = ((type(error).__name__, str(error)), None)
            pickle.dump(answer, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _Server().serve()
