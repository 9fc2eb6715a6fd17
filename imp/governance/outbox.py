"""The outbox: a decision and the command that follows from it commit in one transaction, numbered in commit order."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from imp.actor import accepted_actor
from imp.clock import Clock
from imp.commands import Command, encode
from imp.database import Database, TenantRepository
from imp.engine import NativeEngine
from imp.errors import Conflict, NotFound
from imp.governance.models import OutboxEntry, TenantSequence
from imp.results import report_of
from imp.wire import CommandRequest, digest_of

__all__ = ["OutboxRepository", "Work", "working"]


class OutboxRepository(TenantRepository[OutboxEntry]):
    """Commands of one tenant by seq."""

    model_type = OutboxEntry


class Work:
    """One transaction of a tenant that writes rows and enqueues commands; others of the same tenant wait for it."""

    def __init__(
        self, session: AsyncSession, sequence: TenantSequence, engine: NativeEngine, actor: str, now_us: int
    ) -> None:
        self.session = session
        self._engine = engine
        self.tenant = sequence.tenant
        self.now_us = now_us
        self.outbox = OutboxRepository(session)
        self._sequence = sequence
        self._actor = actor

    async def repeated(self, request: CommandRequest) -> OutboxEntry | None:
        """The row an earlier request with this event id made. Conflict when that was another request."""
        if request.event_id is None:
            return None
        row = await self.outbox.get_one_or_none(event_id=request.event_id)
        if row is not None and row.digest != await asyncio.to_thread(digest_of, request):
            raise Conflict(f"event id {request.event_id} was used for another request")
        return row

    async def enqueue(self, command: Command, request: CommandRequest) -> OutboxEntry:
        """Give a command the next seq. It counts once this transaction commits."""
        encoded, digest = await asyncio.to_thread(lambda: (encode(command), digest_of(request)))  # 100,000 texts
        self._sequence.seq += 1
        row = OutboxEntry(
            tenant=self.tenant,
            seq=self._sequence.seq,
            event_id=request.event_id or uuid.uuid4().hex,
            digest=digest,
            at_us=self.now_us,
            actor=self._actor,
            command=encoded,
            status="waiting",
        )
        self.session.add(row)
        await self.session.flush()
        return row

    async def enqueue_foreseen(self, command: Command, request: CommandRequest) -> OutboxEntry:
        """Enqueue a command after asking the engine: what it would refuse now leaves no rows and spends no slots."""
        report_of(await asyncio.to_thread(self._engine.preview, self.tenant, self.now_us, encode(command)))
        return await self.enqueue(command, request)

    async def refused(self, seq: int) -> bool:
        """Whether the command of a row that this transaction found was refused."""
        return (await self.outbox.get_one(seq=seq)).status == "refused"


@contextlib.asynccontextmanager
async def working(
    database: Database, engine: NativeEngine, tenant: str, actor: str, clock: Clock
) -> AsyncGenerator[Work]:
    """Open a Work; the sequence row is locked first, so commit order is seq order.

    Raises NotFound for an unknown tenant, InvalidInput for an actor the engine would not take.
    """
    accepted_actor(actor)
    async with database.writing(tenant) as session:
        sequence = await session.scalar(select(TenantSequence).with_for_update())
        if sequence is None:
            raise NotFound(f"there is no tenant {tenant!r}")
        yield Work(session, sequence, engine, actor, clock())
