"""The marker file `imp.json` that makes a directory a data directory: its kind, and what a restore left to be done."""

import contextlib
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import msgspec

from imp.errors import CorruptData, ImpError, IncompatibleData, NotFound, StorageError

__all__ = ["Draft", "Marker", "RestoreMark", "read_marker", "sync_directory", "write_marker", "write_whole"]

MARKER_VERSION = 1
_NAME = "imp.json"


class RestoreMark(msgspec.Struct, frozen=True, kw_only=True):
    """A restore happened: scans and redemptions between the two times may repeat until the operator accepts it."""

    backup_at_us: int
    restored_at_us: int
    accepted_at_us: int | None = None


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """database: "internal" is SQLite inside the directory, "external" an address in the settings, None no SQL at all.

    orders_need_epoch: standalone only, by tenant and series: orders wait for an epoch of at least this number.
    """

    kind: Literal["managed", "standalone"]
    database: Literal["internal", "external"] | None
    created_at_us: int
    version: int = MARKER_VERSION
    restored: RestoreMark | None = None
    orders_need_epoch: dict[str, dict[str, int]] = {}


def read_marker(directory: Path) -> Marker:
    """The directory's marker. Raises NotFound when it is no data directory."""
    try:
        text = (directory / _NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{directory} is not a data directory; hint: imp init --dir {directory}") from None
    try:
        version = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("version", msgspec.Raw(b"0"))
        if msgspec.json.decode(version, type=int) > MARKER_VERSION:
            raise IncompatibleData(f"{directory} was made by a newer version of IMP")
        return msgspec.json.decode(text, type=Marker)
    except msgspec.DecodeError as error:
        raise CorruptData(f"{directory / _NAME} is damaged: {error}") from error


def write_marker(directory: Path, marker: Marker) -> None:
    """Replace the directory's marker, whole or not at all."""
    write_whole(directory / _NAME, msgspec.json.format(msgspec.json.encode(marker), indent=2) + b"\n")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file with mode 0600 so that a crash leaves the old content or the new one, never a part."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make created and renamed names in a directory survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Draft:
    """A directory under construction: it gets its name when the block ends well and is gone when it does not.

    What the file system refuses inside the block is raised as StorageError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.making")

    def __enter__(self) -> Path:
        with self._refusals():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._draft.exists():
                shutil.rmtree(self._draft)  # left by a process that died
            self._draft.mkdir(mode=0o700)
        return self._draft

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            with self._refusals():
                if error is not None:
                    raise error
                _sync_tree(self._draft)
                if self._path.is_dir():
                    self._path.rmdir()  # empty, checked by the caller
                self._draft.rename(self._path)
                sync_directory(self._path.parent)
        finally:
            shutil.rmtree(self._draft, ignore_errors=True)

    @contextlib.contextmanager
    def _refusals(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, ImpError):
                raise
            raise StorageError(f"{self._path} cannot be made: {error}") from error


def _sync_tree(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            descriptor = os.open(Path(folder, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(folder))
