"""Who may do what over /v1: API keys with scopes, and the local admin token of a live server."""

import hmac
from ipaddress import ip_address
from typing import Any, Final, cast
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from imp.control import VERBS, Control
from imp.engine import NativeEngine
from imp.errors import Forbidden, Unauthenticated
from imp.governance.schemas import KeyScope, Principal

type Connection = ASGIConnection[Any, Any, Any, Any]

SCOPE: Final = "key_scope"
"""`opt` key of a route: the scope an API key must have for it."""

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def needs(verb: str) -> dict[str, KeyScope]:
    """The `opt` of a route that does a verb's work: it needs the scope that the verb table names."""
    scope = VERBS[verb].scope
    if scope is None:
        raise ValueError(f"{verb} is for the operator of the machine only")
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
    """Guard of the admin door: from a loopback address to a loopback Host, with the token of run.json.

    A proxy on this machine that says so by a forwarding header is refused. One that says nothing and rewrites the Host
    cannot be told from a command: whoever runs a proxy blocks /v1/admin there, and then the token is the second lock.
    """
    if not _is_local(connection) or any(name in connection.headers for name in _FORWARDED):
        raise Forbidden(
            "the admin door answers only to commands on this machine that reach the server at a loopback address;"
            " let it listen at 127.0.0.1, or at 0.0.0.0 for all"
        )
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
    """From a loopback address to one: a page in a browser of this machine names another Host."""
    client = connection.client
    try:
        host = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return client is not None and _is_loopback(client.host) and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
