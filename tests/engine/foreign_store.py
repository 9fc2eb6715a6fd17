"""Another process with another RocksDB, that of rocksdict: it knows nothing of our code.

Started as a program; pickled paths on stdin, all families of each on stdout. Two copies of RocksDB in one process, or a
second one on a live directory, corrupt it silently: hence another process, and copies only.
"""

import pickle
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

Families = dict[str, list[tuple[bytes, bytes]]]


class ForeignStore:
    """That process, for as many copies as there are."""

    def __enter__(self) -> Self:
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def read(self, copy: Path) -> Families:
        """Keys and values of every family of a copy, in order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(str(copy), self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)


def _read(path: str) -> Families:
    from rocksdict import AccessType, Options, Rdict

    names = Rdict.list_cf(path, Options(raw_mode=True))
    families = {name: Options(raw_mode=True) for name in names}
    store = Rdict(path, Options(raw_mode=True), families, AccessType.read_only(False))
    try:
        return {name: list(store.get_column_family(name).items()) for name in names}
    finally:
        store.close()


def main() -> None:
    """Answer until there are no more requests."""
    while True:
        try:
            path = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_read(path), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
