"""A data directory: what is in it, and opening it as the one owner of engine and database.

imp.json      marker: managed or standalone, format version, where the database is, what a restore left to do
secret        master secret (0600), unless the settings take it from elsewhere
engine/       the engine's store
sql.sqlite3   governance database of a managed directory, unless the settings name another
event-ids.sqlite3   what the event ids of a standalone directory were used for
run.json      left by a live server
"""

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from imp.clock import Clock, system_clock
from imp.control import Control
from imp.draft import Draft
from imp.engine import NativeEngine, open_native
from imp.errors import Conflict, OutOfStep, invalid
from imp.governance.event_ids import EVENT_IDS_NAME, EventIds
from imp.governance.standalone import StandaloneCommands
from imp.marker import MARKER_NAME, Marker, read_marker, write_marker
from imp.secret import is_elsewhere, make_secret_file, read_secret
from imp.settings import Settings

if TYPE_CHECKING:
    from imp.database import Database
    from imp.governance.keys import ApiKeys
    from imp.governance.managed import ManagedCommands
    from imp.governance.relay import Relay

__all__ = ["Directory"]

_SQLITE = "sql.sqlite3"


class Directory:
    """An open data directory.

    path; settings; clock; marker; engine; commands: the verbs that differ by kind; managed: database, relay and API
    keys, None in a standalone directory; reapplied: outbox rows applied while opening, by tenant.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        marker: Marker,
        engine: NativeEngine,
        *,
        clock: Clock,
        event_ids: EventIds,
    ) -> None:
        self.path = path
        self.settings = settings
        self.marker = marker
        self.engine = engine
        self.clock = clock
        self.managed: Managed | None = None
        self._event_ids = event_ids
        self.commands: ManagedCommands | StandaloneCommands = StandaloneCommands(
            engine, event_ids, marker.orders_need_epoch, clock
        )
        self.reapplied: dict[str, int] = {}

    @property
    def kind(self) -> str:
        """ "managed" or "standalone"."""
        return self.marker.kind

    @property
    def control(self) -> Control:
        """The verbs on this directory."""
        return Control(self)

    @staticmethod
    def init(path: Path, settings: Settings | None = None, *, standalone: bool = False) -> None:
        """Make a data directory (mode 0700) with its marker, secret (unless the settings have one), engine store and
        SQL schema.

        Raises Conflict when something is there already, StoreLocked while another process makes it. The directory
        appears whole or not at all.
        """
        settings = settings or Settings()
        database = None if standalone else "external" if settings.database_url else "internal"
        marker = Marker(kind="standalone" if standalone else "managed", database=database, created_at_us=system_clock())
        with Draft(path, last=MARKER_NAME, hint="name a new directory") as draft:
            if not is_elsewhere(settings):
                make_secret_file(draft / "secret")
            open_native(draft / "engine", read_secret(draft, settings), settings, create=True).close()
            write_marker(draft, marker)
            if not standalone:
                run_apart(_prepare_database(draft, settings, marker))

    @classmethod
    async def open(cls, path: Path, settings: Settings | None = None, *, clock: Clock = system_clock) -> Self:
        """Open engine and SQL, migrate SQL, and apply every outbox row the engine has not seen.

        Raises NotFound when it is no data directory, StoreLocked when it has a live owner, WrongSecret, OutOfStep when
        engine and SQL do not belong together (the message names the way out).
        """
        settings = settings or Settings()
        marker = read_marker(path)
        secret = read_secret(path, settings)
        if marker.database is not None:
            database_url(path, settings, marker)  # a wrong setting is told before the store is touched
        if marker.database == "internal" and not (path / _SQLITE).is_file():
            raise OutOfStep(f"{path / _SQLITE} is gone. hint: put it back, or restore a backup: imp restore --help")
        engine = await asyncio.to_thread(open_native, path / "engine", secret, settings)
        directory = cls(path, settings, marker, engine, clock=clock, event_ids=EventIds(path / EVENT_IDS_NAME))
        try:
            if marker.kind == "managed":
                await directory._manage()
        except BaseException:
            await directory.close()
            raise
        return directory

    @classmethod
    async def in_memory(cls, settings: Settings, *, clock: Clock = system_clock) -> Self:
        """A standalone directory that is nowhere: an engine that forgets everything at close."""
        marker = Marker(kind="standalone", database=None, created_at_us=clock())
        engine = open_native(Path(), read_secret(Path(), settings), settings, create=True, store="memory")
        return cls(Path(), settings, marker, engine, clock=clock, event_ids=EventIds(None))

    async def close(self) -> None:
        """Let the relay finish what it applies, then close engine and SQL."""
        if self.managed is not None:
            await self.managed.relay.stop()
            await self.managed.database.close()
        await asyncio.to_thread(self.engine.close)
        self._event_ids.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def mark(self, marker: Marker) -> None:
        """Replace the marker."""
        write_marker(self.path, marker)
        self.marker = marker

    async def _manage(self) -> None:
        # A standalone directory opens without importing SQLAlchemy.
        from imp.database import Database  # noqa: PLC0415
        from imp.governance.keys import ApiKeys  # noqa: PLC0415
        from imp.governance.managed import ManagedCommands  # noqa: PLC0415
        from imp.governance.relay import Relay  # noqa: PLC0415
        from imp.migrations import migrate  # noqa: PLC0415

        database = Database(database_url(self.path, self.settings, self.marker))
        relay = Relay(database, self.engine, self.clock)
        self.managed = Managed(database, relay, ApiKeys(database, self.clock))
        self.commands = ManagedCommands(database, self.engine, relay, self.clock)
        await migrate(database)
        self.reapplied = await relay.start()


class Managed:
    """What a managed directory has besides its engine."""

    def __init__(self, database: "Database", relay: "Relay", keys: "ApiKeys") -> None:
        self.database = database
        self.relay = relay
        self.keys = keys


def database_url(path: Path, settings: Settings, marker: Marker) -> str:
    """Address of a managed directory's database.

    Raises InvalidInput when settings and marker disagree about where it is.
    """
    if marker.database == "internal":
        if settings.database_url is not None:
            raise invalid("database_url", f"{path} has its own SQLite database; unset IMP_DATABASE_URL")
        return f"sqlite:///{(path / _SQLITE).absolute()}"
    if settings.database_url is None:
        raise invalid(
            "database_url", f"the database of {path} is elsewhere; set IMP_DATABASE_URL as it was at `imp init`"
        )
    return settings.database_url


def run_apart(work: Any) -> None:
    """Run a coroutine to its end whether or not the caller is inside an event loop."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            failures.append(error)

    thread = threading.Thread(target=run, name="imp-init")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


async def _prepare_database(path: Path, settings: Settings, marker: Marker) -> None:
    from imp.database import Database  # noqa: PLC0415 - a standalone directory does without
    from imp.migrations import migrate  # noqa: PLC0415

    database = Database(database_url(path, settings, marker))
    try:
        await migrate(database)
        if await database.has_tenants():
            raise Conflict(f"{database.shown} already serves another directory; hint: name an empty database")
    finally:
        await database.close()
