"""Wiring: which routes, guards and handlers make the server. No logic lives here."""

from collections.abc import Callable

from litestar import Litestar, Router
from litestar.datastructures import ResponseHeader, State
from litestar.di import Provide

from imp.admin import run_verb
from imp.api_docs import openapi_config, render_docs
from imp.asgi import Front, ScanHttp, ScanLatency
from imp.auth import authorise, provide_control, provide_engine, provide_principal
from imp.degrade import LoopLag, ShedLoad
from imp.errors import ImpError
from imp.governance.controllers import Commands, Keys
from imp.health import ROUTES as HEALTH_ROUTES
from imp.issuing.controllers import Orders, provide_stream_places
from imp.issuing.streaming import Places
from imp.lifespan import Lifespan, serving
from imp.metrics import MeasureRequests, Metrics
from imp.problems import EXCEPTION_HANDLERS
from imp.registry.controllers import Domains, Products, SeriesRoutes
from imp.scan.controllers import LINK_ROUTES, Codes, Scans
from imp.settings import Settings

BODY_BYTES_MAX = 1024 * 1024
"""Longest request body; imports beyond it go in parts."""


def create_front(settings: Settings, address: str, report: Callable[[ImpError], None]) -> Front:
    """The whole server as one ASGI callable; its lifespan opens the data directory, `report` hears why that fails."""
    lag, latency = LoopLag(), ScanLatency()
    app = create_app(serving(settings, address, lag, report), lag, latency)

    def scan_http() -> ScanHttp:
        return app.state.directory.engine.http

    return Front(app, scan_http, latency)


def create_app(lifespan: Lifespan, lag: LoopLag, latency: ScanLatency) -> Litestar:
    """The control plane, and scans as routes. `lifespan` must set `state.directory` and `state.admin_token`."""
    metrics = Metrics(latency, lag)
    api = Router(
        "/v1",
        route_handlers=[Scans, Codes, Domains, Products, SeriesRoutes, Orders, Commands, Keys],
        guards=[authorise],
        dependencies={
            "control": Provide(provide_control, sync_to_thread=False),
            "principal": Provide(provide_principal, sync_to_thread=False),
        },
        security=[{"api_key": []}],
    )
    app = Litestar(
        route_handlers=[api, run_verb, *HEALTH_ROUTES, *LINK_ROUTES],
        dependencies={
            "engine": Provide(provide_engine, sync_to_thread=False),
            "stream_places": Provide(provide_stream_places, sync_to_thread=False),
        },
        middleware=[MeasureRequests(metrics.requests), ShedLoad(lag)],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[lifespan],
        logging_config=None,
        openapi_config=openapi_config(),
        request_max_body_size=BODY_BYTES_MAX,
        response_headers=[ResponseHeader("x-content-type-options", value="nosniff")],
        state=State({"metrics": metrics, "stream_places": Places()}),
    )
    render_docs(app)
    return app
