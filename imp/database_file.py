"""Copying a SQLite database that may be in use."""

import contextlib
import sqlite3
from pathlib import Path

from imp.errors import NotFound, StorageError

__all__ = ["copy_sqlite"]


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy in one file. Raises NotFound when there is no source."""
    if not source.is_file():
        raise NotFound(f"there is no database at {source}")
    try:
        with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise StorageError(f"the database {source} cannot be copied: {error}") from error
