"""A group's results: as lines for people, as JSON for the table."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.figure import Durability, Figure, Goal
from bench.machine import ROOT, Machine

RESULTS = ROOT / "bench" / "results"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a group measured, and on what. command: what was typed. at: seconds since the epoch."""

    group: str
    command: str
    at: int
    seconds: float
    machine: Machine
    figures: list[Figure]


def result(group: str, command: str, began: float, machine: Machine, figures: list[Figure]) -> Result:
    """A finished group; `began` on the monotonic clock."""
    seconds = round(time.monotonic() - began, 1)
    return Result(group=group, command=command, at=int(time.time()), seconds=seconds, machine=machine, figures=figures)


def save(found: Result) -> Path:
    """Write bench/results/<group>.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{found.group}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return path


def load() -> list[Result]:
    """Saved results, by group."""
    return [msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(RESULTS.glob("*.json"))]


def shown(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value == 0:
        return "0"
    digits = max(0, 2 - len(str(int(abs(value)))) + 1) if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def lines(found: Result) -> Iterator[str]:
    """The group as plain text."""
    machine = found.machine
    yield f"{found.group}  ({found.command}; commit {machine.commit}; {found.seconds:.0f} s)"
    yield f"  on {machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB, Linux {machine.kernel}, {machine.disk}"
    yield "  " + ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    for figure in found.figures:
        yield ""
        yield from _figure_lines(figure)


def _figure_lines(figure: Figure) -> Iterator[str]:
    interval = f"  [{shown(figure.spread.low)} to {shown(figure.spread.high)}]" if figure.spread else ""
    kept = _durability(figure.durability)
    yield f"  {figure.name}: {shown(figure.value)} {figure.unit}{interval}{kept}{_goal(figure.goal, figure.value, '')}"
    for peer in figure.peers:
        kept, wanted = _durability(peer.durability), _goal(peer.goal, peer.ratio, " x")
        yield f"    {peer.ratio:8,.2f} x  {peer.name} ({shown(peer.value)} {figure.unit}){kept}{wanted}"
    for note in (figure.method, *figure.notes):
        if note:
            yield f"    {note}"


def _durability(durability: Durability) -> str:
    return f"  durability: {durability}" if durability else ""


def _goal(goal: Goal | None, value: float, unit: str) -> str:
    return f"  goal {goal}{unit}: {met(goal.is_met_by(value))}" if goal else ""


def met(is_met: bool) -> str:
    """Said the same everywhere."""
    return "met" if is_met else "NOT MET"
