"""Median and interval of a handful of rounds."""

from collections.abc import Sequence
from math import comb
from statistics import median

import msgspec

TAIL = 0.025
"""Share left out at each end of the interval."""


class Spread(msgspec.Struct, frozen=True):
    """Median of `rounds` values and the interval that holds the true median with 95 % (fewer than 6 rounds: less)."""

    median: float
    low: float
    high: float
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """The distribution-free interval of order statistics (sign test): single rounds are far from normal."""
    ordered = sorted(values)
    left_out = values_left_out(len(ordered))
    return Spread(median(ordered), ordered[left_out], ordered[-1 - left_out], len(ordered))


def values_left_out(rounds: int) -> int:
    """How many of the smallest, and of the largest, values the interval leaves out."""
    left_out, tail = 0, 0.0
    while (tail := tail + comb(rounds, left_out) / 2**rounds) <= TAIL:
        left_out += 1
    return max(left_out - 1, 0)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ratio round by round, so that what slows a whole round down cancels."""
    return spread([mine / other for mine, other in zip(ours, theirs, strict=True)])
