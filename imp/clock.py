"""Time is injected: everything that needs it takes a Clock."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives the time in microseconds since the Unix epoch (UTC)."""


def system_clock() -> int:
    """The machine's clock, in microseconds since the Unix epoch (UTC)."""
    return time.time_ns() // 1_000
