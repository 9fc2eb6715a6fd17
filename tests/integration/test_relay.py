"""Goal: every committed command reaches the engine exactly once, in commit order, whatever breaks in between.

Method: a real database and an engine double that keeps the engine's promises about seq and event id and fails when
told to.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import msgspec
import pytest
from sqlalchemy import select, text

from imp.commands import Activate, Scope
from imp.database import Database
from imp.engine import NativeEngine
from imp.errors import Busy, Conflict, EngineClosed, InvalidInput, NotFound, OutOfStep, Poisoned, invalid
from imp.governance.models import OutboxEntry
from imp.governance.outbox import Work, working
from imp.governance.relay import Relay
from imp.governance.schemas import ApplyCommand
from imp.registry.schemas import AddTenant
from imp.registry.service import add_tenant


class EngineDouble:
    """What the engine promises about commands, without state. `failures` are raised by the next applications."""

    def __init__(self) -> None:
        self.log: dict[str, list[tuple[str, bytes]]] = {}
        self.calls: list[tuple[str, int]] = []
        self.failures: list[Exception] = []
        self.in_flight = 0
        self.in_flight_max = 0
        self.pause: Callable[[], None] = lambda: None

    def last_seq(self, tenant: str) -> int:
        return len(self.log.get(tenant, []))

    def last_seqs(self) -> dict[str, int]:
        return {tenant: len(log) for tenant, log in self.log.items() if log}

    def applied(self, tenant: str, event_id: str) -> bytes | None:
        return dict(self.log.get(tenant, [])).get(event_id)

    def apply(self, tenant: str, event_id: str, seq: int, _at_us: int, actor: str, command: bytes) -> bytes:
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight, self.in_flight_max)
        try:
            self.pause()
            self.calls.append((tenant, seq))
            if self.failures:
                raise self.failures.pop(0)
            if "\n" in actor:
                raise invalid("actor", "control characters")
            if (known := self.applied(tenant, event_id)) is not None:
                return known
            if seq != self.last_seq(tenant) + 1:
                raise Conflict("gap")
            told = msgspec.json.decode(command)
            refused = told.get("reason") == "refuse me" or told.get("command") not in (None, "activate")
            report = {"event_id": event_id, "status": "refused" if refused else "applied"}
            self.log.setdefault(tenant, []).append((event_id, msgspec.json.encode(report)))
            return self.log[tenant][-1][1]
        finally:
            self.in_flight -= 1

    def forget(self, tenant: str, count: int) -> None:
        """What an engine restored from an older backup knows."""
        self.log[tenant] = self.log[tenant][:-count]


class Bench:
    """A database, an engine double and relays on them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.engine = EngineDouble()
        self.relays: list[Relay] = []

    @property
    def native(self) -> NativeEngine:
        return cast("NativeEngine", self.engine)

    async def relay(self, **options: Any) -> Relay:
        relay = Relay(self.database, self.native, lambda: 1, **options)
        self.relays.append(relay)
        await relay.start()
        return relay

    async def commit(self, tenant: str = "acme", reason: str = "why", event_id: str | None = None) -> int:
        """Commit one command; returns its seq."""
        async with working(self.database, self.native, tenant, "tester", lambda: 5) as work:
            return (await self.enqueue(work, reason, event_id)).seq

    async def enqueue(self, work: Work, reason: str = "why", event_id: str | None = None) -> OutboxEntry:
        command = Activate(scope=Scope(order="o"), reason=reason)
        return await work.enqueue(command, ApplyCommand(command=command, event_id=event_id))

    async def statuses(self, tenant: str = "acme") -> list[str]:
        async with self.database.reading(tenant) as session:
            return list(await session.scalars(select(OutboxEntry.status).order_by(OutboxEntry.seq)))


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for something another task does."""
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110 - the double has no events
            await asyncio.sleep(0.01)


@pytest.fixture
async def bench(database: Database) -> AsyncGenerator[Bench]:
    for tenant in ("acme", "other"):
        await add_tenant(database, AddTenant(tenant=tenant, name=tenant), 1)
    made = Bench(database)
    yield made
    for relay in made.relays:
        await relay.stop()


async def test_commands_arrive_in_seq_order_one_at_a_time(bench: Bench) -> None:
    relay = await bench.relay()
    seqs = await asyncio.gather(*(bench.commit(tenant) for tenant in ("acme", "other") for _ in range(8)))
    await asyncio.gather(
        *(relay.settled(tenant, seq) for tenant, seq in zip(["acme"] * 8 + ["other"] * 8, seqs, strict=True))
    )
    for tenant in ("acme", "other"):
        assert [seq for name, seq in bench.engine.calls if name == tenant] == list(range(1, 9))
    assert bench.engine.in_flight_max <= 2
    assert await bench.statuses() == ["applied"] * 8


async def test_a_late_commit_is_not_skipped(bench: Bench) -> None:
    relay = await bench.relay()
    entered = asyncio.Event()
    release = asyncio.Event()

    async def slow() -> None:
        async with working(bench.database, bench.native, "acme", "slow", lambda: 1) as work:
            entered.set()
            await release.wait()
            await bench.enqueue(work)

    first = asyncio.create_task(slow())
    await entered.wait()
    second = asyncio.create_task(bench.commit())
    await asyncio.sleep(0.1)
    assert not second.done()  # it waits for the first transaction instead of overtaking its number
    release.set()
    await first
    assert await second == 2
    await relay.settled("acme", 2)
    assert bench.engine.calls == [("acme", 1), ("acme", 2)]


async def test_a_rolled_back_decision_takes_no_number(bench: Bench) -> None:
    async def fail_late() -> None:
        async with working(bench.database, bench.native, "acme", "tester", lambda: 1) as work:
            await bench.enqueue(work)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_late()
    assert await bench.commit() == 1


async def test_push_back_is_retried_and_nothing_overtakes(bench: Bench) -> None:
    relay = await bench.relay()
    bench.engine.failures = [Busy("later"), Busy("later"), Busy("later")]
    first, second = await bench.commit(), await bench.commit()
    await asyncio.gather(relay.settled("acme", second), relay.settled("acme", first))
    assert bench.engine.calls == [("acme", 1)] * 4 + [("acme", 2)]


async def test_a_refusal_is_final_and_blocks_nothing(bench: Bench) -> None:
    relay = await bench.relay()
    refused = await relay.settled("acme", await bench.commit(reason="refuse me"))
    applied = await relay.settled("acme", await bench.commit())
    assert (refused.refused, applied.refused) == (True, False)
    assert await bench.statuses() == ["refused", "applied"]
    assert await relay.settled("acme", 1) == refused


async def test_an_actor_the_engine_would_not_take_commits_nothing(bench: Bench) -> None:
    for actor in ("", "two\nlines", "x" * 129, "\udcff"):
        with pytest.raises(InvalidInput, match="actor"):
            async with working(bench.database, bench.native, "acme", actor, lambda: 1) as work:
                await bench.enqueue(work)
    assert await bench.statuses() == []


async def test_a_row_the_engine_cannot_take_is_refused_for_ever_and_blocks_nothing(bench: Bench) -> None:
    await bench.commit()
    async with bench.database.writing(None) as session:
        await session.execute(text("UPDATE outbox SET actor = :actor"), {"actor": "two\nlines"})
    await bench.commit()
    relay = await bench.relay()
    assert await bench.statuses() == ["refused", "applied"]
    assert (await relay.settled("acme", 1)).refused
    await relay.stop()
    again = await bench.relay()  # the next start finds engine and database in step
    assert (await again.settled("acme", 1)).refused
    assert bench.engine.last_seq("acme") == 2


async def test_the_sweep_outlives_whatever_it_meets(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = await bench.relay(sweep_s=0.02)
    met: list[Exception] = []

    async def waiting() -> dict[str, int]:
        met.append(RuntimeError("unforeseen"))
        raise met[-1]

    monkeypatch.setattr(relay, "waiting", waiting)
    await until(lambda: len(met) >= 2)
    monkeypatch.undo()
    await bench.commit()
    await until(lambda: bench.engine.last_seq("acme") == 1)


async def test_rows_of_a_process_that_died_before_applying_are_applied_at_start(bench: Bench) -> None:
    for _ in range(3):
        await bench.commit()
    relay = Relay(bench.database, bench.native, lambda: 1)
    bench.relays.append(relay)
    assert await relay.start() == {"acme": 3}
    assert bench.engine.last_seq("acme") == 3
    assert await bench.statuses() == ["applied"] * 3


async def test_results_lost_between_engine_and_database_are_stored_at_start(bench: Bench) -> None:
    for seq, event_id in enumerate(("a" * 32, "b" * 32), 1):
        await bench.commit(event_id=event_id, reason="refuse me" if seq == 1 else "why")
        bench.engine.apply("acme", event_id, seq, 0, "", b'{"reason":"refuse me"}' if seq == 1 else b"{}")
    assert await bench.statuses() == ["waiting", "waiting"]
    calls = len(bench.engine.calls)
    await bench.relay()
    assert await bench.statuses() == ["refused", "applied"]
    assert len(bench.engine.calls) == calls  # nothing was applied again


async def test_an_older_engine_gets_every_later_row_whatever_its_status(bench: Bench) -> None:
    relay = await bench.relay()
    for _ in range(5):
        await relay.settled("acme", await bench.commit())
    await relay.stop()
    bench.engine.forget("acme", 3)
    await bench.relay()
    assert bench.engine.last_seq("acme") == 5
    assert bench.engine.calls[-3:] == [("acme", 3), ("acme", 4), ("acme", 5)]


async def test_an_engine_ahead_of_the_database_is_refused_with_the_way_out(bench: Bench) -> None:
    bench.engine.apply("acme", "c" * 32, 1, 0, "", b"{}")
    with pytest.raises(OutOfStep, match="imp restore"):
        await bench.relay()


async def test_another_history_under_the_same_number_is_refused(bench: Bench) -> None:
    await bench.commit(event_id="d" * 32)
    bench.engine.apply("acme", "e" * 32, 1, 0, "", b"{}")
    with pytest.raises(OutOfStep, match="does not know command 1"):
        await bench.relay()


async def test_a_gap_in_the_outbox_stops_the_tenant_and_names_it(bench: Bench) -> None:
    relay = await bench.relay()
    await bench.commit()
    await bench.commit()
    async with bench.database.writing(None) as session:
        await session.execute(text("DELETE FROM outbox WHERE seq = 1"))
    with pytest.raises(OutOfStep, match="no command 1"):
        await relay.settled("acme", 2)
    assert bench.engine.calls == []
    assert (await relay.settled("other", await bench.commit("other"))).refused is False


async def test_a_poisoned_engine_fails_the_caller_and_keeps_the_row(bench: Bench) -> None:
    relay = await bench.relay()
    bench.engine.failures = [Poisoned("disk full")]
    seq = await bench.commit()
    with pytest.raises(Poisoned):
        await relay.settled("acme", seq)
    assert await bench.statuses() == ["waiting"]
    await relay.stop()
    await bench.relay()  # the next start
    assert await bench.statuses() == ["applied"]


async def test_a_caller_that_gives_up_loses_nothing(bench: Bench) -> None:
    relay = await bench.relay(answer_within_s=0.05)
    bench.engine.failures = [Busy("later")] * 6
    seq = await bench.commit()
    with pytest.raises(Busy, match="same event id"):
        await relay.settled("acme", seq)
    cancelled = asyncio.create_task(relay.settled("acme", seq))
    await asyncio.sleep(0)
    cancelled.cancel()
    await until(lambda: bench.engine.last_seq("acme") == seq)
    assert (await relay.settled("acme", seq)).refused is False


async def test_rows_nobody_waits_for_are_found(bench: Bench) -> None:
    await bench.relay(sweep_s=0.02)
    await bench.commit()
    await until(lambda: bench.engine.last_seq("acme") == 1)


async def test_stopping_ends_retries_and_keeps_the_row(bench: Bench) -> None:
    relay = await bench.relay()
    bench.engine.failures = [Busy("later")] * 1_000
    waiting = asyncio.create_task(relay.settled("acme", await bench.commit()))
    await asyncio.sleep(0.05)
    await relay.stop()
    with pytest.raises(EngineClosed):
        await waiting
    assert await bench.statuses() == ["waiting"]


async def test_an_event_id_comes_back_only_with_the_same_request(bench: Bench) -> None:
    await bench.commit(event_id="f" * 32)
    again = Activate(scope=Scope(order="o"), reason="why")
    other = Activate(scope=Scope(order="o"), reason="another")
    async with working(bench.database, bench.native, "acme", "tester", lambda: 1) as work:
        assert (await work.repeated(ApplyCommand(command=again, event_id="f" * 32))).seq == 1
        with pytest.raises(Conflict, match="another request"):
            await work.repeated(ApplyCommand(command=other, event_id="f" * 32))
    async with working(bench.database, bench.native, "other", "tester", lambda: 1) as work:
        assert await work.repeated(ApplyCommand(command=again, event_id="f" * 32)) is None


async def test_an_unknown_tenant_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await bench.commit("nobody")
