"""A data directory: what is in it, and opening it as one owner of engine and database.

    imp.json      marker: kind (managed | standalone), format version, where the database is
    secret        master secret (0600), unless it comes from the environment or a key management service
    engine/       the engine's store
    sql.sqlite3   governance database of a managed directory, unless a database address is set
    run.json      left by a live server
"""

from pathlib import Path
from typing import Self

from imp.clock import Clock, system_clock
from imp.control import Control
from imp.settings import Settings


class Directory:
    """An open data directory. Managed: engine, SQL and relay; standalone: the engine alone.

    path, kind ("managed" | "standalone"), settings, engine (imp._core.Engine), control (Control).
    """

    @staticmethod
    def init(path: Path, settings: Settings | None = None, *, standalone: bool = False) -> None:
        """Make a data directory (mode 0700) with its marker, secret (unless one is set elsewhere), engine store and SQL schema.

        Raises Conflict when the directory is already one; nothing partial is left behind by a failure.
        """
        raise NotImplementedError

    @classmethod
    async def open(cls, path: Path, settings: Settings | None = None, *, clock: Clock = system_clock) -> Self:
        """Open engine and SQL, migrate SQL, and reapply every outbox row the engine has not seen.

        Raises NotFound when the directory was never initialised, StoreLocked when it has a live owner, WrongSecret, OutOfStep
        when the engine is ahead of SQL (the message names the way out).
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Let the relay finish what it applies, then close engine and SQL."""
        raise NotImplementedError

    @property
    def control(self) -> Control:
        """The verbs on this directory."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
