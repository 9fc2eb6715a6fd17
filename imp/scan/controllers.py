"""Scan doors of the API. Whatever the door, the engine's bytes go out as they are."""
# ruff: noqa: ARG001  # path parameters are declared for OpenAPI and the router; the engine reads the raw path itself

import asyncio
from typing import Annotated, Any, Final, cast

from litestar import Controller, MediaType, Request, Response, get, post, route
from litestar.di import NamedDependency
from litestar.enums import HttpMethod
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, PathParameter
from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Send
from litestar.types import Scope as AsgiScope

from imp.auth import needs
from imp.control import Control
from imp.degrade import ESSENTIAL
from imp.engine import NativeEngine, ScanContext
from imp.errors import Forbidden
from imp.governance.schemas import LookUp, Principal
from imp.results import Answer, Lookup
from imp.scan.schemas import Scan, ScanAnswers, ScanBatch

SCANS_PER_TURN: Final = 64
"""Scans of a batch between two turns of the event loop, under a millisecond of work."""

_SCAN_METHODS: Final = [HttpMethod.GET, HttpMethod.HEAD, HttpMethod.OPTIONS]


def scan_context(scan: Scan, principal: Principal) -> ScanContext:
    """The engine's context of one scan; raises Forbidden for a role the key does not have."""
    role = scan.role or principal.role
    if role not in (principal.role, "consumer"):
        raise Forbidden(f"an API key with the role {principal.role!r} cannot scan as {role!r}")
    position = scan.position
    return ScanContext(
        role=role,
        channel=scan.channel,
        device=scan.device.encode() if scan.device else None,
        address=scan.address,
        user_agent=scan.user_agent.encode() if scan.user_agent else None,
        position=(position.lat, position.lon, position.accuracy_m, position.datum) if position else None,
        language=scan.language,
        idempotency_key=scan.idempotency_key.encode() if scan.idempotency_key else None,
        caller=principal.key_id.encode(),
        caller_at_us=scan.at_us,
        count=scan.count,
        gtin=scan.gtin.encode() if scan.gtin else None,
        lot=scan.lot.encode() if scan.lot else None,
    )


class Scans(Controller):
    """Scans passed on by systems."""

    path = "/scans"
    tags = ("scan",)

    @post(
        opt={**needs("scan"), ESSENTIAL: True},
        status_code=200,
        summary="Scan one code",
        responses={200: ResponseSpec(Answer, description="The verdict; every verdict is 200.")},
    )
    async def scan(
        self, data: JSONBody[Scan], engine: NamedDependency[NativeEngine], principal: NamedDependency[Principal]
    ) -> Response[bytes]:
        """Scan one code and count it; the answer has the same bytes as the scanned link's."""
        answer = engine.scan(principal.tenant, data.code.encode(), scan_context(data, principal))
        return Response(answer, media_type=MediaType.JSON, headers=_NO_STORE)

    @post(
        "/batch",
        opt=needs("scan"),
        status_code=200,
        summary="Scan 1 to 1,000 codes",
        responses={200: ResponseSpec(ScanAnswers, description="Answers in the order of the scans.")},
    )
    async def scan_batch(
        self, data: JSONBody[ScanBatch], engine: NamedDependency[NativeEngine], principal: NamedDependency[Principal]
    ) -> Response[bytes]:
        """Scan many codes, each as if it came alone."""
        contexts = [
            scan_context(scan, principal) for scan in data.scans
        ]  # a role the key lacks refuses the whole batch
        answers: list[bytes] = []
        for done, (scan, context) in enumerate(zip(data.scans, contexts, strict=True), start=1):
            answers.append(engine.scan(principal.tenant, scan.code.encode(), context))
            if done % SCANS_PER_TURN == 0:
                await asyncio.sleep(0)
        body = b'{"answers":[' + b",".join(answers) + b"]}"
        return Response(body, media_type=MediaType.JSON, headers=_NO_STORE)


class Codes(Controller):
    """What is known of a code."""

    path = "/codes"
    tags = ("scan",)

    @get(
        "/{code:str}",
        opt=needs("lookup"),
        summary="Look a code up without counting",
        responses={200: ResponseSpec(Lookup, description="State, lifecycle, holds, order and counters.")},
    )
    async def look_up(
        self,
        code: Annotated[str, PathParameter(min_length=1, max_length=64)],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> Response[bytes]:
        """All that is known of a code of the tenant. Another tenant's code is unknown here; why, reads role `risk`."""
        found = await control.lookup(principal.tenant, LookUp(code=code, role=principal.role))
        return Response(bytes(found), media_type=MediaType.JSON, headers=_NO_STORE)


_ANSWERS: Final = {
    200: ResponseSpec(Answer, description="The verdict; every verdict is 200. Browsers get a page instead.")
}


@route(
    "/{code:str}",
    http_method=_SCAN_METHODS,
    opt={ESSENTIAL: True},
    tags=["scan"],
    summary="Scan the code of a link",
    responses=_ANSWERS,
)
async def scan_link(
    code: FromPath[str], request: Request[Any, Any, Any], engine: NamedDependency[NativeEngine]
) -> ASGIApp:
    """What a phone opens. The host names the tenant; `Accept` chooses JSON or a page. HEAD does not count."""
    return _same_bytes(request, engine)


@route(
    "/01/{gtin:str}/21/{code:str}",
    http_method=_SCAN_METHODS,
    opt={ESSENTIAL: True},
    tags=["scan"],
    summary="Scan a GS1 Digital Link",
    responses=_ANSWERS,
)
async def scan_digital_link(
    gtin: FromPath[str], code: FromPath[str], request: Request[Any, Any, Any], engine: NamedDependency[NativeEngine]
) -> ASGIApp:
    """The GTIN must belong to the code, otherwise the answer says that it does not match."""
    return _same_bytes(request, engine)


@route(
    "/01/{gtin:str}/10/{lot:str}/21/{code:str}",
    http_method=_SCAN_METHODS,
    opt={ESSENTIAL: True},
    tags=["scan"],
    summary="Scan a GS1 Digital Link with lot",
    responses=_ANSWERS,
)
async def scan_digital_link_with_lot(
    gtin: FromPath[str],
    lot: FromPath[str],
    code: FromPath[str],
    request: Request[Any, Any, Any],
    engine: NamedDependency[NativeEngine],
) -> ASGIApp:
    """GTIN and lot must belong to the code, otherwise the answer says which does not match."""
    return _same_bytes(request, engine)


LINK_ROUTES: Final = (scan_link, scan_digital_link, scan_digital_link_with_lot)
"""The front answers these paths before they get here; as routes they are documented, tested and measured."""

_NO_STORE: Final = {"cache-control": "no-store"}


def _same_bytes(request: Request[Any, Any, Any], engine: NativeEngine) -> ASGIApp:
    """The engine's answer to the request, untouched."""
    scope = request.scope
    client = scope["client"]
    answer = engine.http(
        scope["method"],
        scope["raw_path"],
        scope["query_string"],
        cast("list[tuple[bytes, bytes]]", scope["headers"]),
        client[0] if client else None,
    )
    if answer is None:
        raise NotFoundException
    status, headers, body = answer

    async def reply(_scope: AsgiScope, _receive: Receive, send: Send) -> None:
        await send(HTTPResponseStartEvent(type="http.response.start", status=status, headers=headers))
        await send(HTTPResponseBodyEvent(type="http.response.body", body=body, more_body=False))

    return reply
