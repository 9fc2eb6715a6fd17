"""The way to a data directory: through its live server when there is one, otherwise by opening it.

Both ways end in the same control verbs and give the same JSON.
"""

import asyncio
import http.client
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import msgspec

from imp import runfile
from imp.actor import local_user
from imp.cli.failures import Hinted
from imp.cli.output import note
from imp.control import dispatch
from imp.directory import Directory
from imp.errors import Busy, ImpError, InvalidInput, NotFound, Refused, StoreLocked, error_of, invalid
from imp.registry.schemas import ListTenants, Tenants
from imp.settings import Settings
from imp.wire import PAGE_SIZE_MAX

_CONNECT_TIMEOUT_S = 5
_DYING_TIMEOUT_S = 3
_POLL_S = 0.1
_OPEN_TRY_US = 250_000
"""How long one attempt to open waits before it looks for a server that came up meanwhile."""

_IDLE_S_MAX = 5.0
"""A connection that rested longer is replaced, because the server may close it at any moment."""

_PROBLEM_PREFIX = "urn:imp:problem:"
_SAME_KIND = {"body-too-large": "invalid-input"}


class Door(Protocol):
    """An open way to the verbs of one directory."""

    def raw(self, verb: str, tenant: str, request: msgspec.Struct) -> bytes:
        """Run a verb; returns its answer as JSON, raises what it raised."""
        ...


class Local:
    """The directory itself, opened by this process."""

    def __init__(self, directory: Directory, runner: asyncio.Runner) -> None:
        self._control = directory.control.acting(local_user())
        self._runner = runner

    def raw(self, verb: str, tenant: str, request: msgspec.Struct) -> bytes:
        """Run a verb on the open directory."""
        return self._runner.run(dispatch(self._control, verb, tenant, msgspec.json.encode(request)))


class _Problem(msgspec.Struct, frozen=True):
    """What the server says when it refuses (RFC 9457)."""

    type: str = ""
    detail: str = ""
    field: str | None = None
    reason: str | None = None


class Remote:
    """The admin door of the live server."""

    def __init__(self, owner: runfile.RunFile) -> None:
        self._owner = owner
        host, _, port = owner.address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def raw(self, verb: str, tenant: str, request: msgspec.Struct) -> bytes:
        """Run a verb in the server."""
        query = urlencode({"tenant": tenant, "actor": local_user()})
        status, body = self._post(f"/v1/admin/{verb}?{query}", msgspec.json.encode(request))
        if status < 300:
            return body
        raise _told(status, body)

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {self._owner.admin_token}", "content-type": "application/json"}
        try:
            connection = self._connected()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            found = answer.status, answer.read()
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            self.close()
            told = f"the server of process {self._owner.pid} at {self._owner.address} broke off: {error}"
            raise Hinted(Busy(told), "it may have done it: look at the result before you repeat the command") from error
        self._used_at = time.monotonic()
        return found

    def _connected(self) -> http.client.HTTPConnection:
        """The connection of the request before, or a new one."""
        if time.monotonic() - self._used_at > _IDLE_S_MAX:
            self.close()
        if self._connection is None or self._connection.sock is None:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_TIMEOUT_S)
            self._connection.connect()
            self._connection.sock.settimeout(None)  # an export may take minutes
        return self._connection

    def answers(self) -> bool:
        """Whether a server answers there; a dying one may still accept a connection."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_TIMEOUT_S)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


def _told(status: int, body: bytes) -> ImpError:
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        return Busy(f"the server answered {status} without saying why")
    slug = problem.type.removeprefix(_PROBLEM_PREFIX)
    error = error_of(_SAME_KIND.get(slug, slug), problem.detail)
    if isinstance(error, Refused) and problem.reason:
        error.reason = problem.reason
    if isinstance(error, InvalidInput) and problem.field:
        error.field = problem.field
    return error


def live_owner(path: Path) -> runfile.RunFile | None:
    """The live server of a directory; a run.json left behind is said and counts for nothing.

    Raises Busy when the process lives but does not listen: it is starting or stopping.
    """
    waited_until = time.monotonic() + _DYING_TIMEOUT_S
    while (owner := runfile.live(path)) is not None and not Remote(owner).answers():
        if time.monotonic() > waited_until:
            raise Busy(f"process {owner.pid} owns {path} but does not answer at {owner.address}")
        time.sleep(_POLL_S)
    if owner is None and runfile.read(path) is not None:
        note(f"note: {path / runfile.RUN_FILE} is left from a server that is gone; opening the directory itself")
    return owner


@contextmanager
def opened(settings: Settings) -> Generator[Door]:
    """The way to the directory of `settings`.

    Raises NotFound when there is no such directory, StoreLocked when its owner is no server this user may talk to.
    """
    with asyncio.Runner() as runner:
        found = _find(settings, runner)
        if isinstance(found, Remote):
            with closing(found):
                yield found
            return
        try:
            yield Local(found, runner)
        finally:
            runner.run(found.close())


def _find(settings: Settings, runner: asyncio.Runner) -> Remote | Directory:
    """The server, or the opened directory.

    Another owner may be a server that has not written its run.json yet, or one that is about to be gone: whichever
    comes first within `open_timeout_us` is taken.
    """
    path = settings.directory
    until_us = _now_us() + settings.open_timeout_us
    while True:
        owner = live_owner(path)
        if owner is not None:
            return Remote(owner)
        left_us = max(0, until_us - _now_us())
        brief = msgspec.structs.replace(settings, open_timeout_us=min(left_us, _OPEN_TRY_US))
        try:
            return runner.run(Directory.open(path, brief))
        except StoreLocked:
            if left_us == 0:
                raise


def _now_us() -> int:
    return time.monotonic_ns() // 1_000


def ask[T](door: Door, verb: str, tenant: str, request: msgspec.Struct, response: type[T]) -> T:
    """Run a verb and decode its answer."""
    return msgspec.json.decode(door.raw(verb, tenant, request), type=response)


def tenant_of(door: Door, wanted: str | None) -> str:
    """The tenant named, or the only one there is; raises InvalidInput when it has to be named."""
    if wanted is not None:
        return wanted
    tenants = ask(door, "list_tenants", "", ListTenants(limit=PAGE_SIZE_MAX), Tenants).tenants
    if len(tenants) == 1:
        return tenants[0].tenant
    if not tenants:
        raise Hinted(NotFound("the directory has no tenant yet"), "add one with: imp tenant add ID --name NAME")
    known = ", ".join(tenant.tenant for tenant in tenants)
    raise Hinted(invalid("tenant", "the directory has several"), f"choose one with --tenant: {known}")
