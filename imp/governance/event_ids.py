"""What the event ids of a standalone directory were used for, so that none comes back with another request.

A managed directory keeps this in its outbox. Here it is a small SQLite file beside the engine, made with the first
event id a caller gives.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Generator
from pathlib import Path

from imp.errors import StorageError

__all__ = ["EVENT_IDS_NAME", "EventIds"]

EVENT_IDS_NAME = "event-ids.sqlite3"

_SCHEMA = """CREATE TABLE IF NOT EXISTS request
(tenant TEXT, event_id TEXT, digest BLOB NOT NULL, PRIMARY KEY (tenant, event_id)) WITHOUT ROWID"""


class EventIds:
    """Digests of requests by tenant and event id. Without a path they are forgotten at close. Any thread may call."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def digest(self, tenant: str, event_id: str) -> bytes | None:
        """What the id was used for; None when nobody noted it."""
        if self._database is None and self._path is not None and not self._path.exists():
            return None
        with self._opened() as database:
            query = "SELECT digest FROM request WHERE tenant = ? AND event_id = ?"
            row = database.execute(query, (tenant, event_id)).fetchone()
        return None if row is None else row[0]

    def note(self, tenant: str, event_id: str, digest: bytes) -> None:
        """Note what the id is about to be used for; on disk when this returns."""
        with self._opened() as database, database:
            database.execute("INSERT OR REPLACE INTO request VALUES (?, ?, ?)", (tenant, event_id, digest))

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextlib.contextmanager
    def _opened(self) -> Generator[sqlite3.Connection]:
        with self._turn:
            try:
                if self._database is None:
                    self._database = sqlite3.connect(self._path or ":memory:", check_same_thread=False)
                    self._database.execute("PRAGMA synchronous=FULL")
                    self._database.execute(_SCHEMA)
                yield self._database
            except sqlite3.Error as error:
                raise StorageError(f"the event ids in {self._path} cannot be used: {error}") from error
