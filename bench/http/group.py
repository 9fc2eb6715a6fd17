"""Figures of the group `http`."""

import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from bench.abba import ROUNDS, interleave
from bench.cores import ARE_APART, LOAD_CORE, SERVER_CORE
from bench.figure import Figure, at_least, at_most
from bench.http.beside import Commands, Exports
from bench.http.directory import HOST, Made, make
from bench.http.knee import Cursor, Knee, find
from bench.http.open_loop import CONNECTIONS, Observed, drive
from bench.http.peer import nginx_lua_redis
from bench.http.servers import get, imp_serve, litestar_route
from bench.http.wrk import Target, Throughput, closed_loop, command, write_codes
from bench.processes import ChildFailed
from bench.run import Run
from bench.spread import ratios, spread

DISTINCT = 300_000
PEER, LIMIT, ROUTE = "nginx + Lua + Redis", "nginx static answer (limit)", "documented Litestar route"
P99_GOAL_MS = 20
COMMANDS_PER_S = 20


def figures(run: Run) -> Iterator[Figure]:
    """Throughput beside the peers, then latency at shares of the knee."""
    run.say("making two directories to serve")
    made = make(run.directory / "front", DISTINCT, run.choose(20_000_000, 1_000_000))
    made_route = make(run.directory / "route", DISTINCT, 0)
    with ExitStack() as stack:
        front = stack.enter_context(imp_serve(made.path))
        route = stack.enter_context(litestar_route(made_route.path))
        answer = _first_answer(front, made)
        peer = stack.enter_context(nginx_lua_redis(_folder(run.directory, "peer"), answer))
        codes = write_codes(run.directory / "codes", made.codes[:-1])
        targets = {
            "front": Target(front, HOST, "/", codes),
            PEER: Target(peer, HOST, "/scan/", codes),
            ROUTE: Target(route, HOST, "/", write_codes(run.directory / "route_codes", made_route.codes)),
            LIMIT: Target(peer, HOST, "/static/", codes),
        }
        throughput = yield from throughputs(run, targets)
        yield from latencies(run, targets, throughput, made)


def throughputs(run: Run, targets: dict[str, Target]) -> Iterator[Figure]:
    """The closed loop; returns the front's throughput."""
    run.say("throughput: front, peer, route, static answer in turns")
    warm_up_s, seconds, rounds = run.choose(2.0, 1.0), run.choose(4.0, 1.0), run.choose(ROUNDS, 2)
    cursors = {name: Cursor() for name in targets}
    for name, target in targets.items():
        cursors[name].take(closed_loop(target, warm_up_s, 0).requests)

    def turn(name: str) -> Throughput:
        found = closed_loop(targets[name], seconds, cursors[name].start)
        cursors[name].take(found.requests)
        return found

    taken = interleave({name: partial(turn, name) for name in targets}, rounds)
    rates = {name: [round_.per_s for round_ in found] for name, found in taken.items()}
    wrk = shlex.join(command(Target("127.0.0.1:PORT", HOST, "/", ""), seconds))
    p99_ms = median(round_.p99_us for round_ in taken["front"]) / 1_000
    figure = Figure(
        name="JSON scans over HTTP",
        value=median(rates["front"]),
        unit="scans/s",
        durability="wal",
        spread=spread(rates["front"]),
        method=f"imp serve; {wrk}; {DISTINCT:,} distinct codes; {rounds} rounds in turns forwards and backwards;"
        f" {_cores()}",
        notes=[f"closed loop of 64: p99 {p99_ms:.1f} ms"],
        headline=True,
    )
    for name, durability, goal in ((PEER, "none", at_least(0.7)), (ROUTE, "wal", at_least(2.5)), (LIMIT, "", None)):
        ratio = ratios(rates["front"], rates[name]).median
        figure = figure.beside(name, median(rates[name]), durability=durability, ratio=ratio, goal=goal)
    yield figure
    return figure.value


def latencies(run: Run, targets: dict[str, Target], throughput: float, made: Made) -> Iterator[Figure]:
    """Open model at shares of the knee; at 70 % also beside the peer, an export and commands."""
    seconds, cursor = run.choose(10.0, 1.5), Cursor()
    front = targets["front"]
    run.say("looking for the knee")
    knee = find(front, throughput, run.choose(4.0, 1.0), cursor, run.say)

    def at(share: float, target: Target = front) -> Observed:
        rate = knee.rate * share
        return _checked(drive(target, rate, seconds, cursor.take(rate * seconds)))

    for share in (0.5, 0.9):
        run.say(f"latency at {share:.0%} of the knee")
        yield _p99(f"scan p99 over HTTP at {share:.0%} of the knee", at(share), knee, share, seconds)
    run.say("latency at 70% of the knee, beside the peers at the same rate")
    alone = at(0.7)
    figure = _p99("scan p99 over HTTP at 70% of the knee", alone, knee, 0.7, seconds)
    for name, durability in ((PEER, "none"), (LIMIT, "")):
        figure = figure.beside(f"{name} at the same rate", _ms(at(0.7, targets[name])), durability=durability)
    yield figure
    run.say("latency while an order is exported")
    with Exports(made, run.directory) as exports:
        during = at(0.7)
    name = f"scan p99 over HTTP at 70% of the knee during an export of {run.choose('20 M', '1 M')} codes"
    note = f"exports as CSV on the server's core, one after the other, {max(exports.seconds):.0f} s each"
    figure = _p99(name, during, knee, 0.7, seconds, note)
    yield figure.beside("without the export", _ms(alone), durability="wal")
    run.say("latency while commands flush")
    with Commands(front.address, made, COMMANDS_PER_S) as stream:
        during = at(0.7)
    note = f"{stream.done} commands done, {stream.refused} put off"
    name = f"scan p99 over HTTP at 70% of the knee beside {COMMANDS_PER_S} commands a second"
    figure = _p99(name, during, knee, 0.7, seconds, note)
    yield figure.beside("without commands", _ms(alone), durability="wal")


def _p99(name: str, observed: Observed, knee: Knee, share: float, seconds: float, *notes: str) -> Figure:
    latency = observed.latency
    p50_ms, p999_ms, max_ms = (us / 1_000 for us in (latency.p50_us, latency.p999_us, latency.max_us))
    return Figure(
        name=name,
        value=_ms(observed),
        unit="ms",
        durability="wal",
        goal=at_most(P99_GOAL_MS) if share == 0.7 else None,
        method=f"open model (bench/http/open_loop.py), {knee.rate * share:,.0f} requests/s for {seconds:g} s over"
        f" {CONNECTIONS} connections, timed from when a request was due; knee {knee.rate:,.0f}/s, {knee.share:.0%} of"
        f" wrk's throughput; {_cores()}",
        notes=[
            f"p50 {p50_ms:.2f} ms, p99.9 {p999_ms:.1f} ms, max {max_ms:.1f} ms",
            f"unanswered {observed.unanswered}; generator late by {observed.lag_p99_us / 1_000:.2f} ms (p99)",
            *notes,
        ],
        headline=share == 0.7,
    )


def _ms(observed: Observed) -> float:
    return observed.latency.p99_us / 1_000


def _checked(observed: Observed) -> Observed:
    if observed.wrong:
        raise ChildFailed(f"{observed.wrong} of {observed.sent} answers were not genuine")
    return observed


def _first_answer(address: str, made: Made) -> bytes:
    """The front's answer to the first scan of the last code; raises ChildFailed when it is not what it should be."""
    status, body = get(address, "/" + made.codes[-1].decode())
    if status != 200 or b'"verdict":"genuine"' not in body or b'"is_first":true' not in body:
        raise ChildFailed(f"a first scan was answered {status} {body.decode()}")
    return body


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def _cores() -> str:
    if not ARE_APART:
        return "server and generator share the only core"
    return f"server on core {SERVER_CORE}, generator on core {LOAD_CORE}"
