"""The knee: the highest rate that a server sustains under an open model."""

from collections.abc import Callable
from typing import NamedTuple

from bench.http.open_loop import Observed, drive
from bench.http.wrk import Target

P99_MAX_US = 50_000
"""Above this a server does not keep up: at 5 % too high a rate it is this far behind within a second."""
STEPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5, 0.4)
"""Shares of the closed loop's throughput that are tried."""


class Knee(NamedTuple):
    """rate: requests per second. share: of the closed loop's throughput."""

    rate: float
    share: float


class Cursor:
    """Where in the codes the next run begins, so that runs go on through all of them."""

    def __init__(self) -> None:
        self.start = 0

    def take(self, requests: float) -> int:
        """First code of a run of that many requests."""
        start, self.start = self.start, self.start + int(requests)
        return start


def find(target: Target, throughput: float, seconds: float, cursor: Cursor, say: Callable[[str], None]) -> Knee:
    """Try falling rates until one is sustained; the lowest step counts as the knee if none is."""
    for share in STEPS:
        rate = throughput * share
        observed = drive(target, rate, seconds, cursor.take(rate * seconds))
        say(f"{rate:,.0f}/s: p99 {observed.latency.p99_us / 1_000:.1f} ms")
        if keeps_up(observed):
            return Knee(rate, share)
    return Knee(throughput * STEPS[-1], STEPS[-1])


def keeps_up(observed: Observed) -> bool:
    """Whether every request was answered, and in time."""
    return observed.unanswered == 0 and observed.latency.p99_us <= P99_MAX_US
