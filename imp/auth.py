"""Who may do what over /v1: API keys with scopes, and the local admin token of a live server."""

import hmac
from ipaddress import ip_address
from typing import Any, Final, cast

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from imp.control import Control
from imp.engine import NativeEngine
from imp.errors import Forbidden, Unauthenticated
from imp.governance.schemas import KeyScope, Principal

type Connection = ASGIConnection[Any, Any, Any, Any]

SCOPE: Final = "key_scope"
"""`opt` key of a route: the scope an API key must have for it."""

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def needs(scope: KeyScope) -> dict[str, KeyScope]:
    """The `opt` of a route that needs an API key with `scope`."""
    return {SCOPE: scope}


async def authorise(connection: Connection, handler: BaseRouteHandler) -> None:
    """Guard of /v1: find out whose key it is, then whether it may do this; a route without a scope lets nobody in.

    Raises Unauthenticated without a good key, Forbidden when its scopes do not cover the route. What another tenant
    owns is NotFound later: a key carries its tenant, and nothing of another tenant exists for it.
    """
    principal = await control_of(connection).authenticate(bearer_token(connection))
    wanted = handler.opt.get(SCOPE)
    if wanted not in principal.scopes:
        raise Forbidden(f"the API key lacks the scope {wanted!r}; it has {', '.join(sorted(principal.scopes))}")
    connection.scope["user"] = principal


def bearer_token(connection: Connection) -> str:
    """The token of `Authorization: Bearer …`; raises Unauthenticated when there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("send the API key as 'Authorization: Bearer KEY'")
    return token.strip()


def admin_only(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Guard of the admin door: a direct connection from this machine that knows the token of run.json.

    A request that came through a proxy is refused even when the proxy runs on this machine.
    """
    if not _is_local(connection) or any(name in connection.headers for name in _FORWARDED):
        raise Forbidden("the admin door answers only to commands run on this machine")
    expected = cast("str", connection.app.state.admin_token)
    if not hmac.compare_digest(bearer_token(connection).encode(), expected.encode()):
        raise Unauthenticated(
            "the admin token is not the one in run.json; the server was restarted, run the command again"
        )


def provide_principal(request: Request[Principal, Any, Any]) -> Principal:
    """Dependency: whose API key the request carries."""
    return request.user


def provide_control(request: Request[Principal, Any, Any]) -> Control:
    """Dependency: the control verbs in the name of the API key."""
    return control_of(request).acting(request.user.actor)


def provide_engine(request: Request[Any, Any, Any]) -> NativeEngine:
    """Dependency: the engine of the directory that is served."""
    return cast("NativeEngine", request.app.state.directory.engine)


def control_of(connection: Connection) -> Control:
    """The control verbs of the directory that is served."""
    return cast("Control", connection.app.state.directory.control)


def _is_local(connection: Connection) -> bool:
    """From the loopback interface, or from the very address that was connected to."""
    client, server = connection.client, connection.scope["server"]
    if client is None:
        return False
    return ip_address(client.host).is_loopback or (server is not None and client.host == server[0])
