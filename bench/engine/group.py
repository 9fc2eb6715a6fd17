"""Figures of the group `engine`."""

from collections.abc import Iterator
from statistics import median

from bench.abba import ROUNDS, fresh_directory, interleave, job_turn
from bench.engine.crash import reopened_after_kills
from bench.engine.freeze_job import Freezes, Frozen
from bench.engine.http_job import HttpCalls, HttpRates
from bench.engine.latency_job import Called, Calls
from bench.engine.redis_job import RedisWork
from bench.engine.rocksdict_job import StoreWork
from bench.engine.scans_job import Rates, Scans
from bench.figure import Figure, at_least, at_most
from bench.processes import job
from bench.run import Run
from bench.spread import ratios, spread

ISSUED = 10_000_000
FREEZE_MS_MAX = 50


def figures(run: Run) -> Iterator[Figure]:
    """All figures of the engine in process."""
    yield from scan_rates(run)
    yield from latencies(run)
    yield from http_rates(run)
    yield from freezes(run)
    yield reopening(run)


def scan_rates(run: Run) -> Iterator[Figure]:
    """Scans per second on one thread beside the same store work through rocksdict, and counting in Redis."""
    run.say("scans per second beside rocksdict and redis-py")
    rounds = run.choose(ROUNDS, 2)
    issued, scans, warm_up = run.choose(ISSUED, 1_000_000), run.choose(400_000, 60_000), run.choose(100_000, 10_000)
    forged, counted = run.choose(1_000_000, 200_000), run.choose(30_000, 5_000)
    ours = Scans("", issued, warm_up, scans, forged)
    theirs = StoreWork("", issued, warm_up, scans)
    taken = interleave(
        {
            "imp": job_turn(run.directory, "bench.engine.scans_job", ours, Rates),
            "rocksdict": job_turn(run.directory, "bench.engine.rocksdict_job", theirs, Rates),
            "redis": lambda: job("bench.engine.redis_job", RedisWork(issued, counted), Rates),
        },
        rounds,
    )
    rates = taken["imp"]
    mixed, store, redis = ([rate.mix for rate in taken[name]] for name in ("imp", "rocksdict", "redis"))
    yield (
        Figure(
            name="scans in process, one thread",
            value=median(mixed),
            unit="scans/s",
            durability="wal",
            spread=spread(mixed),
            goal=at_least(150_000),
            method=f"scan_many, {issued:,} codes issued, 60 % first, 30 % repeats (Zipf), 10 % forged, record and event"
            f" written; {rounds} interleaved rounds of {scans:,} scans, fresh directory each",
            notes=[f"answered unrecorded: {sum(rate.unrecorded for rate in rates)}"],
            headline=True,
        )
        .beside(
            "the same store work through rocksdict", median(store), durability="wal", ratio=ratios(mixed, store).median
        )
        .beside("redis-py, one HINCRBY a scan", median(redis), durability="none", ratio=ratios(mixed, redis).median)
    )
    invented, decoding = [rate.forged for rate in rates], [rate.decode for rate in rates]
    yield Figure(
        name="forged codes only, one thread",
        value=median(invented),
        unit="scans/s",
        spread=spread(invented),
        goal=at_least(1_000_000),
        method=f"scan_many, {forged:,} codes with right slot and check but another key",
        headline=True,
    ).beside("deciphering them and nothing else (limit)", median(decoding))


def latencies(run: Run) -> Iterator[Figure]:
    """Time of one `scan` call, alone and beside commands that are flushed."""
    run.say("time of a single scan, alone and while commands flush")
    rounds = run.choose(ROUNDS, 2)
    seconds, scans_max = run.choose(2.0, 0.5), run.choose(400_000, 40_000)
    issued = run.choose(ISSUED, 1_000_000)

    asked = {name: Calls("", issued, seconds, scans_max, commands=name == "beside") for name in ("alone", "beside")}
    turns = {name: job_turn(run.directory, "bench.engine.latency_job", calls, Called) for name, calls in asked.items()}
    taken = interleave(turns, rounds)
    alone, beside = ([called.scan.p99_us for called in taken[name]] for name in ("alone", "beside"))
    method = (
        f"single scan() calls for {seconds:g} s, the mix above; {rounds} rounds in ABBA order, fresh directory each"
    )
    yield Figure(
        name="scan p99 in process",
        value=median(alone),
        unit="µs",
        durability="wal",
        spread=spread(alone),
        method=method,
        notes=[_tail(taken["alone"])],
    )
    rate = median(called.commands for called in taken["beside"]) / seconds
    yield Figure(
        name="scan p99 in process while commands flush",
        value=median(beside),
        unit="µs",
        durability="wal",
        spread=spread(beside),
        method=f"{method}; meanwhile another thread freezes items one by one, each command durable before the next",
        notes=[
            _tail(taken["beside"]),
            f"{rate:,.0f} commands/s, {median(called.command_ms for called in taken['beside']):.1f} ms each",
        ],
        headline=True,
    ).beside("without commands", median(alone), durability="wal", ratio=ratios(beside, alone).median)


def http_rates(run: Run) -> Iterator[Figure]:
    """Whole HTTP scans without a server."""
    run.say("HTTP scans without a server")
    asked = HttpCalls("", run.choose(ISSUED, 1_000_000), run.choose(100_000, 10_000))
    turn = job_turn(run.directory, "bench.engine.http_job", asked, HttpRates)
    rounds = [turn() for _ in range(run.choose(3, 1))]
    for name, rates in (("JSON", [rate.json for rate in rounds]), ("page", [rate.page for rate in rounds])):
        yield Figure(
            name=f"HTTP scans in process, {name}",
            value=median(rates),
            unit="answers/s",
            durability="wal",
            spread=spread(rates),
            method=f"Engine.http from Python, one thread, {asked.calls:,} calls of the mix",
        )


def freezes(run: Run) -> Iterator[Figure]:
    """Freezing one order of 20 M codes beside one flush."""
    quantity = run.choose(20_000_000, 2_000_000)
    run.say(f"freezing an order of {quantity:,} codes")
    asked = Freezes("", quantity, run.choose(12, 3))
    frozen = job_turn(run.directory, "bench.engine.freeze_job", asked, Frozen)()
    flush_ms = median(frozen.flush_ms)
    yield Figure(
        name=f"freeze an order of {quantity:,} codes",
        value=median(frozen.freeze_ms),
        unit="ms",
        durability="durable",
        spread=spread(frozen.freeze_ms),
        goal=at_most(round(FREEZE_MS_MAX + flush_ms, 1)),
        method=f"{frozen.frozen:,} items held by one command, three quarters of them active, void ones between;"
        f" {asked.rounds} rounds; goal: {FREEZE_MS_MAX} ms and one flush",
        notes=[f"unfreeze {median(frozen.unfreeze_ms):.2f} ms"],
        headline=True,
    ).beside("one flush of one scan", flush_ms, durability="durable")


def reopening(run: Run) -> Figure:
    """Open-to-ready after SIGKILL at full load."""
    run.say("opening after SIGKILL at full load")
    issued, scans = run.choose(ISSUED, 1_000_000), run.choose(300_000, 30_000)
    seconds, kills = run.choose(5.0, 0.5), run.choose(4, 2)
    with fresh_directory(run.directory) as path:
        opened = reopened_after_kills(path, issued, scans, seconds, kills)
    times = [reopened.seconds for reopened in opened]
    journal = max(reopened.journal_bytes for reopened in opened) / 2**20
    return Figure(
        name="open to ready after SIGKILL at full load",
        value=max(times),
        unit="s",
        spread=spread(times),
        goal=at_most(2),
        method=f"the slowest of {kills} openings of one growing directory, each after {seconds:g} s of scans at full"
        " load; from open to the first answered scan",
        notes=[f"largest journal replayed {journal:.0f} MiB"],
        headline=True,
    )


def _tail(taken: list[Called]) -> str:
    p50 = median(called.scan.p50_us for called in taken)
    p999 = median(called.scan.p999_us for called in taken)
    largest = max(called.scan.max_us for called in taken)
    return f"p50 {p50:,.1f} µs, p99.9 {p999:,.0f} µs, max {largest:,.0f} µs"
