"""Problem details (RFC 9457): the one shape of every error that leaves over HTTP."""

from typing import Any, Final, cast

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from imp.errors import (
    Busy,
    EngineClosed,
    ImpError,
    InvalidInput,
    Kind,
    Poisoned,
    Refused,
    StorageError,
    StoreLocked,
    kind_of,
)

TYPE_PREFIX: Final = "urn:imp:problem:"
"""The `type` of a problem is this and the slug of its kind; both are stable API."""

MEDIA_TYPE: Final = "application/problem+json"

RETRY_AFTER_S: Final = 1
"""What `Retry-After` says with every 503: pressure and restarts pass within seconds."""

BAD_REQUEST: Final = Kind("invalid-input", 400, 2, "The request is not acceptable")
NO_ROUTE: Final = Kind("not-found", 404, 4, "Nothing of that name")
METHOD: Final = Kind("method-not-allowed", 405, 2, "The method is not allowed here")
BODY_TOO_LARGE: Final = Kind("body-too-large", 413, 2, "The request body is too large")
HEADERS_TOO_LARGE: Final = Kind("headers-too-large", 431, 2, "The request headers are too large")
NOT_READY: Final = kind_of(EngineClosed())
INTERNAL: Final = kind_of(Exception())

_BY_STATUS: Final = {kind.status: kind for kind in (BAD_REQUEST, NO_ROUTE, METHOD, BODY_TOO_LARGE)}
INTERNAL_DETAIL: Final = "The request failed inside the server; its log holds the cause."
NOT_READY_DETAIL: Final = "The engine is not open; try again in a moment."
_TOLD_INSTEAD: Final = {
    kind_of(error).slug: detail
    for error, detail in (
        (EngineClosed(), NOT_READY_DETAIL),
        (StoreLocked(), NOT_READY_DETAIL),
        (Poisoned(), "Writing has stopped after a storage failure; an operator has to restart the server."),
        (StorageError(), "The server cannot write at the moment; its log holds the cause."),
    )
}
"""What clients are told of kinds whose messages name files, processes, database addresses or driver texts."""

NO_ROUTE_DETAIL: Final = "There is no such route; /docs lists them all."

log = structlog.stdlib.get_logger("imp.http")


class Flaw(msgspec.Struct, frozen=True):
    """One field of a request that is not acceptable, and what would be."""

    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client gets as `application/problem+json`.

    `type` and `status` tell the kind, `detail` what happened and what to do. `field` names the offending input,
    `errors` all of them when the whole request was checked, `reason` is the stable code of a refusal.
    """

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    reason: str | None = None
    errors: tuple[Flaw, ...] = ()


def problem(kind: Kind, detail: str, **more: Any) -> Problem:
    """A problem of `kind`."""
    return Problem(type=TYPE_PREFIX + kind.slug, title=kind.title, status=kind.status, detail=detail, **more)


def problem_headers(status: int) -> dict[str, str]:
    """Headers that go with a problem of this status."""
    headers = {"cache-control": "no-store"}
    if status == 503:
        headers["retry-after"] = str(RETRY_AFTER_S)
    elif status == 401:
        headers["www-authenticate"] = 'Bearer realm="imp"'
    return headers


def respond(found: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The response that carries a problem."""
    return Response(
        msgspec.json.encode(found),
        status_code=found.status,
        media_type=MEDIA_TYPE,
        headers={**problem_headers(found.status), **(headers or {})},
    )


def on_imp_error(_request: Request[Any, Any, Any], error: ImpError) -> Response[bytes]:
    """Every error IMP raises on purpose: its kind decides. What is wrong with the server stays in its log."""
    kind = kind_of(error)
    if kind.status < 500 or isinstance(error, Busy):  # pressure is no fault: what to do about it is for the client
        return _told(kind, error)
    log.error("request failed", kind=kind.slug, exc_info=error)
    return respond(problem(kind, _TOLD_INSTEAD.get(kind.slug, INTERNAL_DETAIL)))


def on_operator_error(_request: Request[Any, Any, Any], error: ImpError) -> Response[bytes]:
    """The same for the machine's operator, who is told everything, as by a command without a server."""
    kind = kind_of(error)
    if kind.status >= 500:
        log.error("request failed", kind=kind.slug, exc_info=error)
    return _told(kind, error)


def _told(kind: Kind, error: ImpError) -> Response[bytes]:
    more: dict[str, Any] = {}
    if isinstance(error, InvalidInput):
        more["field"] = error.field
    if isinstance(error, Refused):
        more["reason"] = error.reason
    return respond(problem(kind, str(error), **more))


def on_http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals: no such route, wrong method, body too large, a body or parameter that does not fit."""
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        kind = BAD_REQUEST if error.status_code < 500 else INTERNAL
    if kind is INTERNAL:
        log.error("request failed", exc_info=error)
        return respond(problem(kind, INTERNAL_DETAIL))
    flaws = _flaws(error)
    if flaws:
        detail = "; ".join(f"{flaw.field}: {flaw.detail}" for flaw in flaws)
        return respond(problem(kind, detail, field=flaws[0].field, errors=flaws))
    return respond(problem(kind, _DETAILS.get(kind.status, error.detail)), error.headers)


def on_undecodable_text(_request: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[bytes]:
    """A body that is not UTF-8: msgspec lets Python's own error through."""
    log.info("request is not UTF-8", exc_info=error)
    return respond(problem(BAD_REQUEST, "The request body is not UTF-8.", field="request"))


def on_any_error(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A fault nobody foresaw: told to the log in full, to the client in one sentence."""
    log.error("request failed", exc_info=error)
    return respond(problem(INTERNAL, INTERNAL_DETAIL))


EXCEPTION_HANDLERS: Final[dict[int | type[Exception], Any]] = {
    ImpError: on_imp_error,
    HTTPException: on_http_error,
    UnicodeDecodeError: on_undecodable_text,
    Exception: on_any_error,
}

_DETAILS: Final = {
    404: NO_ROUTE_DETAIL,
    405: "This route does not answer that method; the Allow header lists what it answers.",
    413: "The request body may have 1 MiB; send large lists in parts.",
}


def _flaws(error: HTTPException) -> tuple[Flaw, ...]:
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return ()
    found = cast("list[dict[str, str]]", error.extra)
    return tuple(Flaw(_field(entry.get("key", "")), entry.get("message", "")) for entry in found)


def _field(key: str) -> str:
    """The name as the client wrote it: Litestar calls the request body `data`."""
    return key.removeprefix("data").lstrip(".") or "request"
