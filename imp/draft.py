"""A directory under construction: it appears whole or not at all, and only one process makes it at a time."""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Final

from imp.errors import Conflict, ImpError, StorageError, StoreLocked
from imp.files import sync_folder

__all__ = ["Draft"]

_TURN_WITHIN_S: Final = 10.0
_POLL_S: Final = 0.05
_SUFFIX: Final = ".making"
_NAME_BYTES: Final = 8
_NOT_OURS: Final = {"lost+found"}
"""What a fresh file system has in its root."""


class Draft:
    """A new directory at `path`, filled under another name; `last` is the file whose presence makes it what it is.

    A directory that is not there yet is made beside its place and renamed. An empty one that exists (a mounted volume,
    the home of a service user) is filled from a draft inside it, `last` after everything else; so neither its parent
    has to be writable nor the directory itself replaced. When the block raises, nothing is left.

    Raises Conflict when `path` holds something (`hint` says what to do), StoreLocked when another process is making it
    and does not end, StorageError for what the file system refuses, inside the block too.
    """

    def __init__(self, path: Path, *, last: str, hint: str) -> None:
        self._path = path.resolve()
        self._last = last
        self._hint = hint
        self._turn = contextlib.ExitStack()
        self._draft = self._path

    def __enter__(self) -> Path:
        with contextlib.ExitStack() as entered, self._refusals():
            is_there = entered.enter_context(_turn(self._path))
            home = self._path if is_there else self._path.parent
            name = "" if is_there else f".{self._path.name}"
            left = re.compile(rf"{re.escape(name)}\.[0-9a-f]{{{2 * _NAME_BYTES}}}{re.escape(_SUFFIX)}")
            for entry in home.iterdir():
                if left.fullmatch(entry.name):
                    shutil.rmtree(entry)  # of a process that died: a living one would have the turn
            if is_there and any(entry.name not in _NOT_OURS for entry in self._path.iterdir()):
                raise Conflict(f"{self._path} exists and is not empty; hint: {self._hint}")
            self._draft = home / f"{name}.{secrets.token_hex(_NAME_BYTES)}{_SUFFIX}"
            self._draft.mkdir(mode=0o700)
            self._turn = entered.pop_all()
        return self._draft

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._turn, self._refusals():
            try:
                if error is not None:
                    raise error
                _sync_tree(self._draft)
                if self._draft.parent == self._path:
                    self._move_in()
                else:
                    self._draft.rename(self._path)
                    sync_folder(self._path.parent)
            finally:
                shutil.rmtree(self._draft, ignore_errors=True)

    def _move_in(self) -> None:
        """Move the content up one level, the deciding file last."""
        with contextlib.suppress(PermissionError):  # a volume may belong to somebody else who lets us write
            self._path.chmod(0o700)
        names = sorted((entry.name for entry in self._draft.iterdir()), key=lambda name: (name == self._last, name))
        moved: list[Path] = []
        try:
            for name in names:
                if name == self._last:
                    sync_folder(self._path)
                moved.append((self._draft / name).rename(self._path / name))
        except OSError:
            for entry in moved:
                entry.rename(self._draft / entry.name)
            raise
        sync_folder(self._path)

    @contextlib.contextmanager
    def _refusals(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, ImpError):
                raise
            raise StorageError(f"{self._path} cannot be made: {error}") from error


@contextlib.contextmanager
def _turn(path: Path) -> Generator[bool]:
    """Be the only one that makes `path`; gives whether it is a directory already."""
    waited_until = time.monotonic() + _TURN_WITHIN_S
    while True:
        is_there = path.is_dir()
        if not is_there:
            if path.exists():
                raise Conflict(f"{path} exists and is no directory; hint: name a new directory")
            path.parent.mkdir(parents=True, exist_ok=True)
        lock = path if is_there else path.with_name(f".{path.name}.lock")
        descriptor = _locked(lock)
        if descriptor is not None:
            try:
                if path.is_dir() == is_there:  # otherwise it came or went while we waited
                    yield is_there
                    return
            finally:
                if not is_there:
                    lock.unlink(missing_ok=True)  # while it is locked: whoever opened it meanwhile opens anew
                os.close(descriptor)
        elif time.monotonic() > waited_until:
            raise StoreLocked(f"another process is making {path}; wait for it to end")
        else:
            time.sleep(_POLL_S)


def _locked(lock: Path) -> int | None:
    """A descriptor that holds the lock, None while somebody else does."""
    kind = os.O_RDONLY | os.O_DIRECTORY if lock.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(lock, kind | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), lock.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _sync_tree(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            descriptor = os.open(Path(folder, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(folder))
