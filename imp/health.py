"""/healthz, /readyz and /metrics: for load balancers, supervisors, Prometheus; no key needed, nothing secret told."""

from typing import Any, Literal

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency

from imp.degrade import ESSENTIAL
from imp.engine import NativeEngine
from imp.errors import EngineClosed
from imp.metrics import CONTENT_TYPE, Metrics
from imp.results import EngineStatus

_NO_STORE = {"cache-control": "no-store"}


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether traffic should come here; `cause` says why not. Scans are answered anyway, unrecorded."""

    ready: bool
    cause: str | None = None


@get("/healthz", opt={ESSENTIAL: True}, tags=["operation"], summary="Is the process alive?")
async def healthz() -> Response[Health]:
    """Always ok while the event loop runs."""
    return Response(Health(), headers=_NO_STORE)


@get("/readyz", opt={ESSENTIAL: True}, tags=["operation"], summary="Should traffic come here?")
async def readyz(engine: NamedDependency[NativeEngine]) -> Response[Readiness]:
    """503 once a storage failure has stopped writing, until the server is restarted."""
    try:
        status = msgspec.json.decode(engine.status(), type=EngineStatus)
    except EngineClosed:
        status = EngineStatus(ready=False)
    ready = status.ready and status.poisoned is None
    cause = None if ready else "writing has stopped after a storage failure" if status.poisoned else "not open"
    return Response(Readiness(ready, cause), status_code=200 if ready else 503, headers=_NO_STORE)


@get("/metrics", opt={ESSENTIAL: True}, tags=["operation"], summary="Figures for Prometheus", media_type="text/plain")
async def metrics(engine: NamedDependency[NativeEngine], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Verdicts, latencies, loop and flush lag, RocksDB gauges, the process."""
    collected: Metrics = request.app.state.metrics
    return Response(collected.render(engine.metrics()), media_type=CONTENT_TYPE, headers=_NO_STORE)


@get("/robots.txt", opt={ESSENTIAL: True}, include_in_schema=False, media_type=MediaType.TEXT)
async def robots() -> str:
    """Keep crawlers away: each link they follow would count as somebody's scan."""
    return "User-agent: *\nDisallow: /\n"


ROUTES = (healthz, readyz, metrics, robots)
