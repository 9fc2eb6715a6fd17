"""Figures of the group `codes`: the rates of bench/test_codes.py."""

import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from bench.figure import Figure, Goal, at_least
from bench.processes import output_of
from bench.run import Run

_OURS, _LIMIT = "imp base32", "aes limit"
_GOALS: dict[str, Goal] = {"encode": at_least(20_000_000), "decode": at_least(10_000_000)}
_NAMES = {_LIMIT: "raw AES, ten blocks a code (limit)"}


class Timed(msgspec.Struct):
    """One line of pytest-benchmark's JSON. param: of the case."""

    group: str
    param: str
    extra_info: dict[str, Any]


class Report(msgspec.Struct):
    benchmarks: list[Timed]


def figures(run: Run) -> Iterator[Figure]:
    """Encode and decode, each with its peers."""
    run.say("codes beside AES, fastfpe, ff3, sqids, hashids, fastnanoid and uuid_utils")
    path = run.directory / "codes.json"
    output_of([sys.executable, "-m", "pytest", "--quiet", "bench/test_codes.py", f"--benchmark-json={path}"])
    timed = msgspec.json.decode(path.read_bytes(), type=Report).benchmarks
    for direction, goal in _GOALS.items():
        rates = {
            line.param: float(line.extra_info["codes_per_s"]) for line in timed if line.group == f"codes: {direction}"
        }
        figure = Figure(
            name=f"{direction} codes, one thread",
            value=rates.pop(_OURS),
            unit="codes/s",
            goal=goal,
            method="base32, 1,000,000 codes a call, best of 5 rounds; each line as bench/test_codes.py describes it",
            headline=True,
        )
        for name, rate in rates.items():
            figure = figure.beside(_NAMES.get(name, name), rate)
        yield figure
