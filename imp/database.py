"""The governance database: SQLite inside the data directory, or PostgreSQL; the same models and migrations for both.

A session is bound to one tenant, and the session itself confines every statement to that tenant's rows, so no query can
forget it.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, ClassVar

from advanced_alchemy.base import CommonTableAttributes, convention
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import BigInteger, ColumnElement, MetaData, String, event, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    UOWTransaction,
    mapped_column,
    with_loader_criteria,
)

from imp.errors import Busy, Conflict, StorageError, invalid

__all__ = ["Database", "Row", "TenantRepository", "TenantRow"]

_BUSY_TIMEOUT_MS = 10_000
_WRITING = "imp_writing"
_TENANT = "imp_tenant"
_PG_RETRY = {"40001", "40P01", "55P03", "57014"}  # serialization failure, deadlock, lock not available, query cancelled


class Row(CommonTableAttributes, DeclarativeBase):
    """Base of every table. Integers are 64-bit; times are microseconds since the Unix epoch (UTC)."""

    metadata = MetaData(naming_convention=convention)
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger}


class TenantRow(Row):
    """Base of every table whose rows belong to a tenant; the tenant leads the primary key."""

    __abstract__ = True
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True, sort_order=-1)


class TenantRepository[R: TenantRow](SQLAlchemyAsyncRepository[R]):
    """Rows of the session's tenant. Database errors pass as they are; the session's block tells them by kind."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session=session, wrap_exceptions=False)

    async def page(self, column: Any, after: object | None, limit: int, *conditions: ColumnElement[bool]) -> list[R]:
        """Up to `limit` rows in the order of `column`, from the one after value `after` (keyset pagination)."""
        statement = self.statement.where(*conditions).order_by(column).limit(limit)
        if after is not None:
            statement = statement.where(column > after)
        return await self.get_many(statement=statement)


class _TenantSession(Session):
    """A session that knows whose rows it may see; None means all (operator verbs, authentication, relay)."""


@event.listens_for(_TenantSession, "do_orm_execute")
def _confine(state: ORMExecuteState) -> None:
    tenant = state.session.info[_TENANT]
    if tenant is not None and not state.is_column_load and not state.is_relationship_load:
        rule = with_loader_criteria(TenantRow, lambda cls: cls.tenant == tenant, include_aliases=True)
        state.statement = state.statement.options(rule)


@event.listens_for(_TenantSession, "before_flush")
def _refuse_foreign_rows(session: Session, _context: UOWTransaction, _instances: object) -> None:
    tenant = session.info[_TENANT]
    touched = (*session.new, *session.dirty, *session.deleted)
    if tenant is not None and any(isinstance(row, TenantRow) and row.tenant != tenant for row in touched):
        raise invalid("tenant", "a row of another tenant")


class Database:
    """One governance database.

    kind: "sqlite" or "postgresql"; file: SQLite's file, None for PostgreSQL; shown: its address without password.
    """

    def __init__(self, url: str) -> None:
        address = make_url(url)
        drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
        self.kind = address.get_backend_name()
        if self.kind not in drivers:
            raise invalid("database_url", "accepted are sqlite:///FILE and postgresql://USER@HOST/NAME")
        self.file = Path(address.database or "") if self.kind == "sqlite" else None
        self.shown = address.render_as_string(hide_password=True)
        self._engine = create_async_engine(address.set(drivername=drivers[self.kind]), pool_pre_ping=self.file is None)
        self._sessions = async_sessionmaker(
            self._engine, expire_on_commit=False, autoflush=False, sync_session_class=_TenantSession
        )
        # SQLite has one writer: waiting here is fair and wakes at once, while its own busy handler polls.
        self._turn: contextlib.AbstractAsyncContextManager[object] = (
            contextlib.nullcontext() if self.file is None else asyncio.Lock()
        )
        if self.file is not None:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)

    @contextlib.asynccontextmanager
    async def reading(self, tenant: str | None) -> AsyncGenerator[AsyncSession]:
        """Read one tenant's rows; tenant None sees all."""
        with _by_kind():
            async with self._sessions(info={_TENANT: tenant}) as session:
                yield session

    @contextlib.asynccontextmanager
    async def writing(self, tenant: str | None) -> AsyncGenerator[AsyncSession]:
        """One transaction on one tenant's rows: committed when the block ends, rolled back when it raises.

        Raises Conflict when a key is taken meanwhile, Busy when the database pushes back, StorageError when it cannot
        be reached.
        """
        with _by_kind():
            async with self._turn, self._sessions(info={_TENANT: tenant}) as session:
                await session.connection(execution_options={_WRITING: True})
                yield session
                await session.commit()

    @contextlib.asynccontextmanager
    async def migrating(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction for migrations."""
        with _by_kind():
            async with self._turn, self._engine.connect() as connection:
                await connection.execution_options(**{_WRITING: True})
                async with connection.begin():
                    yield connection

    async def has_tenants(self) -> bool:
        """Whether anybody's rows are in it."""
        async with self.reading(None) as session:
            return await session.scalar(text("SELECT 1 FROM tenant LIMIT 1")) is not None

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin in _begin_sqlite, not at the driver's guess
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={_BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first cannot become a writing one once another wrote; writers take the lock at once.
    is_writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


@contextlib.contextmanager
def _by_kind() -> Generator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict("the same key was taken by another request") from error
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Busy("the database is busy") from error
        if getattr(error.orig, "sqlstate", None) in _PG_RETRY:
            raise Busy("the database is busy") from error
        raise StorageError(f"database: {error.orig}") from error
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"database: {error}") from error
