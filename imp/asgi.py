"""The front: outermost ASGI callable. A scan goes from bytes to bytes in the engine; everything else is Litestar's.

What a request means as a scan (path, host, headers, method) is decided by the engine alone, so every door answers
alike.
"""

import asyncio
import contextlib
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final

import msgspec
import structlog
from litestar.types import ASGIApp, Receive, Scope, Send

from imp import problems
from imp.errors import EngineClosed, ImpError

type HttpAnswer = tuple[int, list[tuple[bytes, bytes]], bytes]
type ScanHttp = Callable[[str, bytes, bytes, list[tuple[bytes, bytes]], str | None], HttpAnswer | None]
"""`Engine.http`: method, raw path, query string, headers, peer address; None when the path is not a scan."""

HEADERS_BYTES_MAX: Final = 16 * 1024
"""Names and values of all request headers together; one more byte answers 431."""

SCAN_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

LATENCY_BUCKETS: Final = 54
"""Bucket n counts scans that took less than 2^n × 1.024 µs; as many as a 64-bit count of nanoseconds can need."""

log = structlog.stdlib.get_logger("imp.asgi")


class ScanLatency:
    """How long scans took at the front, from arrival to the answer handed to the HTTP server."""

    __slots__ = ("counts", "total_ns")

    def __init__(self) -> None:
        self.counts = [0] * LATENCY_BUCKETS
        self.total_ns = 0


class Front:
    """Answer scans by the engine, pass all other requests and the lifespan to `control`.

    `scan_http` gives the engine's door once the start-up of `control` is complete; scans answer 503 before that and
    from the shutdown message on.
    """

    __slots__ = ("_control", "_find_scan_http", "_latency", "_scan_http")

    def __init__(self, control: ASGIApp, scan_http: Callable[[], ScanHttp], latency: ScanLatency) -> None:
        self._control = control
        self._find_scan_http = scan_http
        self._scan_http: ScanHttp = _closed
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pass_lifespan(scope, receive, send)
            return
        if scope["method"] in SCAN_METHODS:
            started = perf_counter_ns()
            client = scope["client"]
            try:
                answer = self._scan_http(
                    scope["method"],
                    scope["raw_path"],
                    scope["query_string"],
                    scope["headers"],  # pyright: ignore[reportArgumentType]  # Granian gives a list of pairs
                    client[0] if client else None,
                )
            except BaseException as error:  # noqa: BLE001  # a Rust panic is no Exception, and costs this request only
                answer = _failed(error)
            if answer is not None:
                await send({"type": "http.response.start", "status": answer[0], "headers": answer[1]})
                await send({"type": "http.response.body", "body": answer[2], "more_body": False})
                elapsed_ns = perf_counter_ns() - started
                self._latency.counts[(elapsed_ns >> 10).bit_length()] += 1
                self._latency.total_ns += elapsed_ns
                return
        if headers_bytes(scope["headers"]) > HEADERS_BYTES_MAX:
            status, headers, body = _TOO_MANY_HEADERS
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        await self._control(scope, receive, send)

    async def _pass_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open and close the door with the lifespan. A failed start-up was reported; its traceback goes nowhere."""

        async def receive_lifespan() -> Any:
            message: Any = await receive()
            if message["type"] == "lifespan.shutdown":
                self._scan_http = _closed
            return message

        async def send_lifespan(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._scan_http = self._find_scan_http()
            await send({"type": message["type"]})

        with contextlib.suppress(ImpError):
            await self._control(scope, receive_lifespan, send_lifespan)


def headers_bytes(headers: Any) -> int:
    """Bytes of all names and values; separators are not counted."""
    return sum(len(name) + len(value) for name, value in headers)


def problem_answer(found: problems.Problem) -> HttpAnswer:
    """A problem as a ready answer for requests that never reach Litestar."""
    body = msgspec.json.encode(found)
    headers = {
        "content-type": problems.MEDIA_TYPE,
        "content-length": str(len(body)),
        **problems.problem_headers(found.status),
    }
    return found.status, [(name.encode(), value.encode()) for name, value in headers.items()], body


def _closed(
    _method: str, _raw_path: bytes, _query: bytes, _headers: list[tuple[bytes, bytes]], _peer: str | None
) -> HttpAnswer | None:
    return _NOT_OPEN


def _failed(error: BaseException) -> HttpAnswer:
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
        raise error
    if isinstance(error, EngineClosed):
        return _NOT_OPEN
    log.error("scan failed", exc_info=error)
    return _INTERNAL


_TOO_MANY_HEADERS: Final = problem_answer(
    problems.problem(
        problems.HEADERS_TOO_LARGE,
        f"Header names and values exceed {HEADERS_BYTES_MAX} bytes; send fewer or shorter ones.",
    )
)
_NOT_OPEN: Final = problem_answer(problems.problem(problems.NOT_READY, problems.NOT_READY_DETAIL))
_INTERNAL: Final = problem_answer(problems.problem(problems.INTERNAL, problems.INTERNAL_DETAIL))
