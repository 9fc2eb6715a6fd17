"""Shedding load: when the event loop lags, the control plane and batches step aside so that single scans go on."""

import asyncio
from collections.abc import Callable
from time import monotonic_ns
from typing import Final

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from imp.errors import Busy

LAG_MAX_US: Final = 50_000
"""Above this lag of the event loop the control plane answers 503."""

TICK_US: Final = 20_000
"""How often the lag is measured."""

ESSENTIAL: Final = "essential"
"""`opt` key of routes that answer however busy the loop is: single scans, health, metrics, the local admin door."""


class LoopLag:
    """How late the event loop runs what is due, measured by a task that wakes every TICK_US.

    The lag that counts is the smaller of the last two measurements: one late wake-up (a collection, a scheduling
    hiccup) sheds nothing, a loop that stays behind does so after two ticks.
    """

    __slots__ = ("_clock_ns", "_due_ns", "_last_us", "_worst_us")

    def __init__(self, clock_ns: Callable[[], int] = monotonic_ns) -> None:
        self._clock_ns = clock_ns
        self._due_ns: int | None = None
        self._last_us = (0, 0)
        self._worst_us = 0

    def tick(self) -> None:
        """Note one wake-up; the next is due in TICK_US."""
        now_ns = self._clock_ns()
        late_us = 0 if self._due_ns is None else max(0, (now_ns - self._due_ns) // 1_000)
        self._due_ns = now_ns + TICK_US * 1_000
        self._last_us = (late_us, self._last_us[0])
        self._worst_us = max(self._worst_us, late_us)

    @property
    def now_us(self) -> int:
        """The current lag in microseconds; a wake-up that is overdue counts as well."""
        overdue_us = 0 if self._due_ns is None else (self._clock_ns() - self._due_ns) // 1_000
        newest_us, older_us = self._last_us
        return max(min(newest_us, older_us), min(overdue_us, newest_us))

    def take_worst_us(self) -> int:
        """The longest single lag since the last call."""
        worst_us, self._worst_us = self._worst_us, 0
        return worst_us

    async def watch(self) -> None:
        """Measure until cancelled."""
        while True:
            self.tick()
            await asyncio.sleep(TICK_US / 1_000_000)


class ShedLoad(ASGIMiddleware):
    """Answer 503 with Retry-After on every route not marked ESSENTIAL while the loop lags more than LAG_MAX_US."""

    scopes = (ScopeType.HTTP,)
    exclude_opt_key = ESSENTIAL

    def __init__(self, lag: LoopLag) -> None:
        self._lag = lag

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if self._lag.now_us > LAG_MAX_US:
            raise Busy("the server is busy with scans; repeat the request after the time in Retry-After")
        await next_app(scope, receive, send)
