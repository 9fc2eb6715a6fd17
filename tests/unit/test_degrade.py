"""Goal: a lagging loop sheds the control plane and nothing else. Method: a made-up clock, and a set lag."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar, get
from litestar.testing import TestClient

from imp.degrade import ESSENTIAL, LAG_MAX_US, TICK_US, LoopLag, ShedLoad
from imp.problems import EXCEPTION_HANDLERS

MS = 1_000_000


class FakeClock:
    """Nanoseconds that move when told."""

    def __init__(self) -> None:
        self.now_ns = 5_000 * MS

    def __call__(self) -> int:
        return self.now_ns


def ticks(lag: LoopLag, clock: FakeClock, *late_ms: int) -> None:
    """Wake-ups that come so late."""
    for late in late_ms:
        clock.now_ns += TICK_US * 1_000 + late * MS
        lag.tick()


def test_punctual_wake_ups_are_no_lag() -> None:
    """A loop in time has no lag, nor has one that has not begun."""
    clock = FakeClock()
    lag = LoopLag(clock)
    assert lag.now_us == 0
    lag.tick()
    ticks(lag, clock, 0, 0, 0)
    assert lag.now_us == 0


def test_one_late_wake_up_sheds_nothing() -> None:
    """A single pause is forgiven but remembered as the worst."""
    clock = FakeClock()
    lag = LoopLag(clock)
    lag.tick()
    ticks(lag, clock, 0, 400, 0)
    assert lag.now_us == 0
    assert lag.take_worst_us() == 400_000
    assert lag.take_worst_us() == 0


def test_staying_behind_is_lag() -> None:
    """Two late wake-ups count with the smaller one; a punctual one ends it."""
    clock = FakeClock()
    lag = LoopLag(clock)
    lag.tick()
    ticks(lag, clock, 60, 90)
    assert lag.now_us == 60_000
    ticks(lag, clock, 0)
    assert lag.now_us == 0


def test_overdue_wake_up_counts_before_it_comes() -> None:
    """After one late wake-up the next one need not come for the lag to show."""
    clock = FakeClock()
    lag = LoopLag(clock)
    lag.tick()
    ticks(lag, clock, 80)
    assert lag.now_us == 0
    clock.now_ns += TICK_US * 1_000 + 70 * MS
    assert lag.now_us == 70_000


class SetLag(LoopLag):
    """A lag that is what the test says."""

    value_us = 0

    @property
    def now_us(self) -> int:
        """The set value."""
        return self.value_us


@get("/heavy")
async def heavy() -> dict[str, Any]:
    """A control-plane route."""
    return {}


@get("/scan", opt={ESSENTIAL: True})
async def scan() -> dict[str, Any]:
    """An essential route."""
    return {}


@pytest.fixture
def lagging() -> Iterator[tuple[SetLag, TestClient[Litestar]]]:
    """An application and its lag."""
    lag = SetLag()
    app = Litestar(
        [heavy, scan],
        middleware=[ShedLoad(lag)],
        exception_handlers=EXCEPTION_HANDLERS,
        logging_config=None,
        openapi_config=None,
    )
    with TestClient(app) as client:
        yield lag, client


@pytest.mark.parametrize(("lag_us", "status"), [(LAG_MAX_US, 200), (LAG_MAX_US + 1, 503)])
def test_limit_of_the_lag(lagging: tuple[SetLag, TestClient[Litestar]], lag_us: int, status: int) -> None:
    """At the limit everything is answered, above it only what is essential; 503 says when to come back."""
    lag, client = lagging
    lag.value_us = lag_us
    assert client.get("/scan").status_code == 200
    answer = client.get("/heavy")
    assert answer.status_code == status
    if status == 503:
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["type"] == "urn:imp:problem:busy"
