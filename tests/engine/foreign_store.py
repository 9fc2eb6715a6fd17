"""Another process with another RocksDB, that of rocksdict: it knows nothing of our code.

Started as `python -m engine.foreign_store`; pickled requests on stdin, pickled answers on stdout. Two copies of
RocksDB in one process, or a second one on a live directory, corrupt it silently: hence another process, and only
copies or directories that nobody has open.
"""

import pickle
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent

Families = dict[str, list[tuple[bytes, bytes]]]


class ForeignStore:
    """That process, for as many directories as there are."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "engine.foreign_store"]
        self._process = subprocess.Popen(command, cwd=ROOT / "tests", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def _ask(self, *request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)

    def read(self, copy: Path) -> Families:
        """Keys and values of every family of a copy, in order."""
        return self._ask(_read, str(copy))

    def put(self, closed: Path, family: str, key: bytes, value: bytes) -> None:
        """Write one value into a directory that nobody has open."""
        self._ask(_put, str(closed), family, key, value)


def _open(path: str, access: Any) -> tuple[Any, list[str]]:
    from rocksdict import DBCompressionType, Options, Rdict

    names = Rdict.list_cf(path, Options(raw_mode=True))
    families = {name: Options(raw_mode=True) for name in names}
    for options in families.values():
        # Our build knows none of the compressions that are usual elsewhere.
        options.set_compression_type(DBCompressionType.none())
    return Rdict(path, Options(raw_mode=True), families, access), names


def _read(path: str) -> Families:
    from rocksdict import AccessType

    store, names = _open(path, AccessType.read_only(False))
    try:
        return {name: list(store.get_column_family(name).items()) for name in names}
    finally:
        store.close()


def _put(path: str, family: str, key: bytes, value: bytes) -> None:
    from rocksdict import AccessType

    store, _ = _open(path, AccessType.read_write())
    try:
        store.get_column_family(family)[key] = value
    finally:
        store.close()


def main() -> None:
    while True:
        try:
            function, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(function(*arguments), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    # Requests name functions of the module, not of the program that it is.
    from engine import foreign_store

    foreign_store.main()
