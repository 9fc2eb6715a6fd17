"""The relay carries commands from the outbox to the engine: in seq order, one in flight per tenant, none skipped.

The engine's own last seq is the cursor, not the SQL status: what the engine has not seen is applied, what it has seen
is not applied again. A refusal is a result like any other, and a row the engine cannot take is one too. Only
push-back is retried; when the engine stopped writing, the row waits for the next start.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from sqlalchemy import select, update

from imp.clock import Clock
from imp.database import Database
from imp.engine import NativeEngine
from imp.errors import Busy, EngineClosed, InvalidInput, OutOfStep
from imp.governance.models import OutboxEntry, TenantSequence

__all__ = ["Relay", "Settled"]

_log = structlog.get_logger("imp.relay")
_ACTOR = "relay"
_BACK_OFF_FIRST_S = 0.005
_BACK_OFF_MAX_S = 1.0


class Settled(msgspec.Struct, frozen=True):
    """The stored, final result of a command. report: the engine's report as JSON."""

    event_id: str
    refused: bool
    report: bytes


class _Outcome(msgspec.Struct):
    status: str


class Relay:
    """Applies the outbox of one database to one engine. Start it once; then `settled` waits for single commands.

    sweep_s: how often it looks for rows that nobody waits for; answer_within_s: how long `settled` waits.
    """

    def __init__(
        self,
        database: Database,
        engine: NativeEngine,
        clock: Clock,
        *,
        sweep_s: float = 2.0,
        answer_within_s: float = 30.0,
    ) -> None:
        self._sweep_s = sweep_s
        self._answer_within_s = answer_within_s
        self._database = database
        self._engine = engine
        self._clock = clock
        self._wanted: set[str] = set()
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._waiters: defaultdict[tuple[str, int], list[asyncio.Future[Settled]]] = defaultdict(list)
        self._troubles: dict[str, str] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> dict[str, int]:
        """Store results the engine has but SQL lacks, apply what the engine has not seen, then keep sweeping.

        Returns the number of rows applied by tenant. Raises OutOfStep when engine and SQL do not tell the same history.
        """
        waiting = await self.waiting()
        for tenant in waiting:
            await self._compare(tenant)
            await self._drain(tenant)
        self._sweeper = asyncio.create_task(self._sweep(), name="relay:sweep")
        return {tenant: rows for tenant, rows in waiting.items() if rows}

    async def stop(self) -> None:
        """Stop after the commands in flight; their results are stored."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        await asyncio.gather(*self._workers.values())

    async def waiting(self) -> dict[str, int]:
        """Rows the engine has not seen, by tenant. Raises OutOfStep when the engine is ahead of SQL."""
        async with self._database.reading(None) as session:
            known = {row.tenant: row.seq for row in await session.scalars(select(TenantSequence))}
        seen = self._engine.last_seqs()
        for tenant, last in seen.items():
            if last > known.get(tenant, 0):
                raise _out_of_step(tenant, f"the engine is at command {last}, the database at {known.get(tenant, 0)}")
        return {tenant: seq - seen.get(tenant, 0) for tenant, seq in known.items()}

    async def settled(self, tenant: str, seq: int) -> Settled:
        """The result of a committed row, once the engine has it durably.

        Raises Busy when that takes too long (the row stays and will be applied), or what keeps the engine from
        applying it.
        """
        if seq <= self._engine.last_seq(tenant):
            return await self._stored(tenant, seq)
        future = asyncio.get_running_loop().create_future()
        self._waiters[tenant, seq].append(future)
        self.wake(tenant)
        try:
            return await asyncio.wait_for(future, self._answer_within_s)
        except TimeoutError:
            raise Busy("the command is stored and will be applied; ask again with the same event id") from None

    def wake(self, tenant: str) -> None:
        """Have the tenant's waiting rows applied soon."""
        self._wanted.add(tenant)
        worker = self._workers.get(tenant)
        if worker is None or worker.done():
            self._workers[tenant] = asyncio.create_task(self._work(tenant), name=f"relay:{tenant}")

    async def _work(self, tenant: str) -> None:
        # No await between the last look at _wanted and the end of the task, so no wake-up is lost.
        while tenant in self._wanted and not self._stopping:
            self._wanted.discard(tenant)
            try:
                await self._drain(tenant)
            except Exception as error:  # noqa: BLE001 - whoever waits for a row gets it, whatever it is
                self._fail(tenant, error)
            else:
                self._troubles.pop(tenant, None)

    async def _drain(self, tenant: str) -> None:
        while not self._stopping:
            last = self._engine.last_seq(tenant)
            async with self._database.reading(tenant) as session:
                row = await session.scalar(
                    select(OutboxEntry).where(OutboxEntry.seq > last).order_by(OutboxEntry.seq).limit(1)
                )
            if row is None:
                return
            if row.seq != last + 1:
                raise _out_of_step(tenant, f"the outbox has no command {last + 1}, the next is {row.seq}")
            report = await self._until_accepted(lambda row=row: asyncio.to_thread(self._apply, row))
            settled = _settled(row.event_id, report)
            await self._until_accepted(lambda settled=settled: self._store(tenant, [settled]))
            for future in self._waiters.pop((tenant, row.seq), ()):
                if not future.done():
                    future.set_result(settled)

    def _apply(self, row: OutboxEntry) -> bytes:
        try:
            return self._engine.apply(row.tenant, row.event_id, row.seq, row.at_us, row.actor, row.command)
        except InvalidInput as error:
            # Nothing makes such a row acceptable, and while its number is unused nothing behind it is applied. So the
            # number goes to a command of the same id that the engine reads, refuses and remembers.
            message = f"the engine cannot take the command: {error}"
            _log.error("a command is refused", tenant=row.tenant, seq=row.seq, event_id=row.event_id, message=message)
            unknown = msgspec.json.encode({"command": message})
            return self._engine.apply(row.tenant, row.event_id, row.seq, row.at_us, _ACTOR, unknown)

    async def _store(self, tenant: str, results: list[Settled]) -> None:
        now_us = self._clock()
        async with self._database.writing(tenant) as session:
            for result in results:
                status = "refused" if result.refused else "applied"
                await session.execute(
                    update(OutboxEntry)
                    .where(OutboxEntry.event_id == result.event_id)
                    .values(status=status, report=result.report, settled_at_us=now_us)
                )

    async def _stored(self, tenant: str, seq: int) -> Settled:
        async with self._database.reading(tenant) as session:
            row = await session.scalar(select(OutboxEntry).where(OutboxEntry.seq == seq))
        if row is None:
            raise _out_of_step(tenant, f"the outbox has no command {seq}")
        report = row.report or self._engine.applied(tenant, row.event_id)
        if report is None:
            raise _out_of_step(tenant, f"the engine does not know command {seq} (event {row.event_id})")
        return _settled(row.event_id, report)

    async def _compare(self, tenant: str) -> None:
        """Settle rows whose result got lost between engine and SQL, and check that both mean the same last command."""
        last = self._engine.last_seq(tenant)
        if last == 0:
            return
        lost = (OutboxEntry.status == "waiting") & (OutboxEntry.seq < last)
        async with self._database.reading(tenant) as session:
            rows = (
                await session.execute(
                    select(OutboxEntry.seq, OutboxEntry.event_id).where(lost | (OutboxEntry.seq == last))
                )
            ).all()
        results: list[Settled] = []
        for seq, event_id in rows:
            report = self._engine.applied(tenant, event_id)
            if report is None:
                raise _out_of_step(tenant, f"the engine does not know command {seq} (event {event_id})")
            results.append(_settled(event_id, report))
        if last not in [seq for seq, _ in rows]:
            raise _out_of_step(tenant, f"the outbox has no command {last}")
        await self._store(tenant, results)

    async def _until_accepted[T](self, attempt: Callable[[], Awaitable[T]]) -> T:
        pause = _BACK_OFF_FIRST_S
        while True:
            try:
                return await attempt()
            except Busy:
                if self._stopping:
                    raise EngineClosed("the engine is closing; the command will be applied at the next start") from None
                await asyncio.sleep(pause)
                pause = min(2 * pause, _BACK_OFF_MAX_S)

    async def _sweep(self) -> None:
        """Find rows nobody waits for: their request died, or another process wrote them."""
        while True:
            await asyncio.sleep(self._sweep_s)
            try:
                waiting = await self.waiting()
            except Exception as error:  # noqa: BLE001 - it must outlive whatever it meets
                self._note("", error)
                continue
            self._troubles.pop("", None)
            for tenant in (tenant for tenant, rows in waiting.items() if rows):
                self.wake(tenant)

    def _fail(self, tenant: str, error: Exception) -> None:
        self._note(tenant, error)
        for key in [key for key in self._waiters if key[0] == tenant]:
            for future in self._waiters.pop(key):
                if not future.done():
                    future.set_exception(error)

    def _note(self, tenant: str, error: Exception) -> None:
        if self._troubles.get(tenant) != str(error):  # the sweep meets the same trouble again and again
            self._troubles[tenant] = str(error)
            _log.error("commands wait", tenant=tenant, kind=type(error).__name__, message=str(error))


def _settled(event_id: str, report: bytes) -> Settled:
    return Settled(event_id, msgspec.json.decode(report, type=_Outcome).status == "refused", report)


def _out_of_step(tenant: str, what: str) -> OutOfStep:
    return OutOfStep(
        f"tenant {tenant}: {what}; engine and database do not belong together. hint: put the matching database back or "
        "build a new directory with `imp restore` from a backup that holds both"
    )
