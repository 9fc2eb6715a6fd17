"""Figures of the group `growth`."""

from collections.abc import Iterator
from statistics import median

from bench.abba import ROUNDS, fresh_directory, interleave, job_turn
from bench.figure import Figure, at_most
from bench.growth.issued_job import Issued, IssuedCost
from bench.growth.touched_job import Mark, Touched, Touching
from bench.processes import job
from bench.run import Run
from bench.spread import ratios, spread


def figures(run: Run) -> Iterator[Figure]:
    """Cost of a scan by issued and by touched codes; memory."""
    yield from issued(run)
    yield from touched(run)


def issued(run: Run) -> Iterator[Figure]:
    """10^6 to 10^9 issued codes."""
    sizes = run.choose((1_000_000, 10_000_000, 100_000_000, 1_000_000_000), (1_000_000, 100_000_000))
    rounds, scans, warm_up = run.choose(ROUNDS, 1), run.choose(150_000, 20_000), run.choose(50_000, 5_000)
    run.say("cost of a scan by codes issued")
    turns = {
        f"{size:,}": job_turn(run.directory, "bench.growth.issued_job", Issued("", size, warm_up, scans), IssuedCost)
        for size in sizes
    }
    taken = interleave(turns, rounds)
    costs = {name: [cost.scan_us for cost in found] for name, found in taken.items()}
    largest = f"{sizes[-1]:,}"
    last = taken[largest]
    figure = Figure(
        name=f"cost of a scan with {largest} codes issued",
        value=median(costs[largest]),
        unit="µs",
        durability="wal",
        spread=spread(costs[largest]),
        method=f"scan_many on one thread, 60 % first, 30 % repeats, 10 % forged; orders of 20 M; {rounds} rounds in"
        f" turns of {scans:,} scans, fresh directory each",
        notes=[
            f"issued and activated in {median(cost.issue_s for cost in last):.1f} s",
            f"opened in {median(cost.open_s for cost in last) * 1_000:.0f} ms",
            f"{median(cost.resident_mib for cost in last):.0f} MiB resident",
            f"answered unrecorded: {sum(cost.unrecorded for found in taken.values() for cost in found)}",
        ],
        headline=True,
    )
    for name in turns:
        if name != largest:
            ratio = ratios(costs[largest], costs[name]).median
            figure = figure.beside(f"with {name} issued", median(costs[name]), durability="wal", ratio=ratio)
    yield figure


def touched(run: Run) -> Iterator[Figure]:
    """10^6 and 10^7 codes with a record."""
    marks, scans = run.choose((1_000_000, 10_000_000), (20_000, 200_000)), run.choose(300_000, 20_000)
    issued_codes = run.choose(20_000_000, 1_000_000)
    run.say(f"scanning {marks[-1]:,} codes for the first time")
    with fresh_directory(run.directory) as path:
        asked = Touching(str(path), issued_codes, marks, scans)
        found = job("bench.growth.touched_job", asked, Touched)
    few, many = found.marks[0], found.marks[-1]
    method = f"one process, scan_many on one thread, {issued_codes:,} codes issued"
    for what, cost in (("mix", _mix_us), ("repeat of any of them", _even_us)):
        yield Figure(
            name=f"cost of a scan with {many.touched:,} codes touched, {what}",
            value=cost(many),
            unit="µs",
            durability="wal",
            method=f"{method}; {scans:,} scans",
            notes=[f"{many.fill_per_s:,.0f} first scans/s until then", f"answered unrecorded: {many.unrecorded}"],
            headline=what == "mix",
        ).beside(f"with {few.touched:,} touched", cost(few), durability="wal")
    yield Figure(
        name=f"resident memory with {many.touched:,} codes touched",
        value=many.resident_mib,
        unit="MiB",
        goal=at_most(600),
        method=f"{method}; VmRSS of the process that scanned them, Python and NumPy included",
        notes=[f"peak {many.peak_mib:.0f} MiB, before the first scan {found.empty_mib:.0f} MiB"],
        headline=True,
    ).beside(f"with {few.touched:,} touched", few.resident_mib)


def _mix_us(mark: Mark) -> float:
    return mark.mix_us


def _even_us(mark: Mark) -> float:
    return mark.even_us
