"""What `/metrics` says beyond the engine's own figures: latency of scans and requests, loop lag, the process."""

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import cast

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from imp.asgi import ScanLatency
from imp.degrade import LoopLag

CONTENT_TYPE = "text/plain; version=0.0.4"

_SHOWN_BUCKETS = range(4, 24)
"""8 µs to 4.3 s; faster and slower scans fall into the first bucket shown and into +Inf."""


class Metrics:
    """The Python half of `/metrics`; the engine gives the other half as text."""

    def __init__(self, latency: ScanLatency, lag: LoopLag) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_LatencyCollector(latency))
        self._registry.register(_LagCollector(lag))
        ProcessCollector(registry=self._registry)
        self.requests = Histogram(
            "imp_control_request_seconds",
            "Time to answer a control-plane request, by route, method and status.",
            ["route", "method", "status"],
            registry=self._registry,
        )

    def render(self, engine_text: bytes) -> bytes:
        """Prometheus text: ours, then the engine's."""
        return generate_latest(self._registry) + engine_text


class MeasureRequests(ASGIMiddleware):
    """Observe every routed request under the path template of its route, never under a path with values."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, requests: Histogram) -> None:
        self._requests = requests

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        started = perf_counter()
        status = 500

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await next_app(scope, receive, observed_send)
        finally:
            routed = cast("HTTPScope", scope)
            self._requests.labels(routed["path_template"], str(routed["method"]), str(status)).observe(
                perf_counter() - started
            )


class _LatencyCollector(Collector):
    def __init__(self, latency: ScanLatency) -> None:
        self._latency = latency

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(
            "imp_scan_http_seconds", "Time from a scan's arrival at the front to its answer handed to the HTTP server."
        )
        counts = list(self._latency.counts)
        family.add_metric([], list(_cumulative(counts)), self._latency.total_ns / 1e9)
        yield family


class _LagCollector(Collector):
    def __init__(self, lag: LoopLag) -> None:
        self._lag = lag

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("imp_loop_lag_seconds", "Current lag of the event loop.", value=self._lag.now_us / 1e6)
        yield GaugeMetricFamily(
            "imp_loop_lag_worst_seconds",
            "Longest single lag of the event loop since the last scrape.",
            value=self._lag.take_worst_us() / 1e6,
        )


def _cumulative(counts: list[int]) -> Iterator[tuple[str, float]]:
    total = sum(counts[: _SHOWN_BUCKETS.start])
    for bucket in _SHOWN_BUCKETS:
        total += counts[bucket]
        yield str((1 << bucket) * 1024 / 1e9), total
    yield "+Inf", sum(counts)
