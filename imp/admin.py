"""The admin door: commands run beside a live server do their work through it, with the same results as without one."""

from typing import Any, Final

from litestar import MediaType, Request, Response, post
from litestar.params import FromPath, FromQuery, RawBody

from imp.auth import admin_only, control_of
from imp.control import dispatch
from imp.degrade import ESSENTIAL
from imp.errors import ImpError
from imp.problems import on_operator_error

BODY_BYTES_MAX: Final = 32 * 1024 * 1024
"""Longest request of a command on this machine: a list of 100,000 codes or imported texts goes in one piece."""


@post(
    "/v1/admin/{verb:str}",
    guards=[admin_only],
    opt={ESSENTIAL: True},
    exception_handlers={ImpError: on_operator_error},
    status_code=200,
    request_max_body_size=BODY_BYTES_MAX,
    include_in_schema=False,
)
async def run_verb(
    verb: FromPath[str],
    request: Request[Any, Any, Any],
    body: RawBody,
    tenant: FromQuery[str] = "",
    actor: FromQuery[str] = "operator",
) -> Response[bytes]:
    """Run a control verb: request and response are the JSON of the verb's structs, `tenant` is a query parameter.

    `actor` is who runs the command: whoever may read the token in run.json is believed.
    """
    control = control_of(request).acting(actor)
    answer = await dispatch(control, verb, tenant, body)
    return Response(answer, media_type=MediaType.JSON, headers={"cache-control": "no-store"})
