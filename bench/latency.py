"""Percentiles of measured times."""

from collections.abc import Sequence

import msgspec
import numpy as np


class Latency(msgspec.Struct, frozen=True):
    """Percentiles in µs, of `count` times."""

    count: int
    p50_us: float
    p95_us: float
    p99_us: float
    p999_us: float
    max_us: float


def latency_of(times_ns: Sequence[int]) -> Latency:
    """Percentiles of times in ns."""
    if not times_ns:
        return Latency(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    found = np.percentile(np.asarray(times_ns, dtype=np.int64), [50, 95, 99, 99.9, 100]) / 1_000
    return Latency(len(times_ns), *(round(float(value), 1) for value in found))
