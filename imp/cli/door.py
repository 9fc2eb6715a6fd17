"""The way to a data directory: through its live server when there is one, otherwise by opening it.

Both ways end in the same control verbs and give the same JSON.
"""

import asyncio
import getpass
import http.client
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import msgspec

from imp import runfile
from imp.cli.failures import Hinted
from imp.cli.output import note
from imp.control import dispatch
from imp.directory import Directory
from imp.errors import Busy, ImpError, InvalidInput, NotFound, Refused, error_of, invalid
from imp.registry.schemas import ListTenants, Tenants
from imp.settings import Settings
from imp.wire import PAGE_SIZE_MAX

_CONNECT_TIMEOUT_S = 5
_DYING_TIMEOUT_S = 3
_POLL_S = 0.1
_PROBLEM_PREFIX = "urn:imp:problem:"
_SAME_KIND = {"overloaded": "busy", "body-too-large": "invalid-input"}


class Door(Protocol):
    """An open way to the verbs of one directory."""

    def raw(self, verb: str, tenant: str, request: msgspec.Struct) -> bytes:
        """Run a verb; returns its answer as JSON, raises what it raised."""
        ...


class Local:
    """The directory itself, opened by this process."""

    def __init__(self, directory: Directory, runner: asyncio.Runner) -> None:
        self._control = directory.control.acting(f"cli:{getpass.getuser()}")
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

    def raw(self, verb: str, tenant: str, request: msgspec.Struct) -> bytes:
        """Run a verb in the server."""
        status, body = self._post(f"/v1/admin/{verb}?tenant={quote(tenant)}", msgspec.json.encode(request))
        if status < 300:
            return body
        raise _told(status, body)

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {self._owner.admin_token}", "content-type": "application/json"}
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_TIMEOUT_S)
        try:
            connection.connect()
            connection.sock.settimeout(None)  # an export may take minutes
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            told = f"the server of process {self._owner.pid} at {self._owner.address} broke off: {error}"
            raise Hinted(Busy(told), "it may have done it: look at the result before you repeat the command") from error
        finally:
            connection.close()

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
    path = settings.directory
    owner = live_owner(path)
    if owner is not None:
        yield Remote(owner)
        return
    with asyncio.Runner() as runner:
        directory = runner.run(Directory.open(path, settings))
        try:
            yield Local(directory, runner)
        finally:
            runner.run(directory.close())


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
