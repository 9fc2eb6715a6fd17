"""Serving: one Granian parent with exactly one worker, because one process owns the engine.

The parent binds the port and watches; the worker opens the data directory. Two workers must never overlap, so
everything in Granian that starts a second one before the first has stopped (reload, worker lifetime, memory limit,
SIGHUP) is refused or ignored, and a worker whose parent is gone dies at once.
"""
# Granian's server classes carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

import ctypes
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from typing import Any, Final, cast

import msgspec
import structlog
from granian import _signals
from granian._granian import SocketHolder  # the only way to hand Granian a bound socket
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from imp import logs, runfile
from imp.errors import ImpError, InvalidInput, StoreLocked, error_of, invalid, kind_of
from imp.settings import Settings

BACKLOG: Final = 1_024
DRAIN_TIMEOUT_S: Final = 30
"""After SIGTERM, requests under way may take this long before the worker is killed; answered scans survive that too."""

HEADER_BUFFER_BYTES: Final = 65_536
"""Granian cuts a connection whose request head is longer; the front's own limit answers politely below it."""

_PR_SET_PDEATHSIG: Final = 1
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_FORBIDDEN: Final = {
    "GRANIAN_RELOAD": "reloading",
    "GRANIAN_WORKERS_LIFETIME": "a worker lifetime",
    "GRANIAN_WORKERS_MAX_RSS": "a memory limit for workers",
    "GRANIAN_RESPAWN_FAILED_WORKERS": "respawning workers",
}

log = structlog.stdlib.get_logger("imp.server")


def _say_nothing(_address: str) -> None:
    """Nobody wants to know."""


def serve(settings: Settings, announce: Callable[[str], None] = _say_nothing) -> int:
    """Serve the data directory until SIGTERM or SIGINT; gives the exit code.

    `announce` hears where (host:port) as soon as the port is taken.

    Raises before anything starts: InvalidInput for a busy port or an option that would start a second worker,
    StoreLocked when another server owns the directory. A failure of the worker to open the directory is raised here as
    what it was.
    """
    logs.configure(settings.log_level)
    refuse_second_workers(os.environ)
    refuse_second_server(settings)
    with closing(bind(settings.host, settings.port)) as listener:
        announce(address_of(listener))
        outcome_in, outcome_out = os.pipe()
        try:
            server = _OneWorkerServer(settings, listener, outcome_out)
            code = server.run()
            os.close(outcome_out)
            outcome_out = -1
            raise_failure(outcome_in)
            return code
        finally:
            os.close(outcome_in)
            if outcome_out >= 0:
                os.close(outcome_out)


def refuse_second_workers(environment: Mapping[str, str]) -> None:
    """Raise InvalidInput for Granian options in the environment that start a worker beside the running one."""
    for variable, what in _FORBIDDEN.items():
        if environment.get(variable, "").lower() not in {"", "0", "false"}:
            raise invalid(variable, f"{what} would start a second owner of the data directory; unset it")
    if environment.get("GRANIAN_WORKERS", "1") != "1":
        raise invalid("GRANIAN_WORKERS", "exactly one worker can own the data directory; unset it")


def refuse_second_server(settings: Settings) -> None:
    """Raise StoreLocked when a live server owns the directory, naming it."""
    owner = runfile.live(settings.directory)
    if owner is not None:
        raise StoreLocked(
            f"{settings.directory} is already served at http://{owner.address} by process {owner.pid}"
            f" on {socket.gethostname()}; stop that one first"
        )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket that shares its port with nobody; port 0 takes a free one.

    Granian would listen with SO_REUSEPORT, and two servers started together would then silently share a port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise _no_host(host, error) from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise _no_host(host, error) from None
        raise invalid(
            "port",
            f"cannot listen at {host}:{port} ({error.strerror}); choose another port, for example PORT={port + 1}",
        ) from None
    return listener


def _no_host(host: str, error: OSError | UnicodeError) -> InvalidInput:
    why = error.strerror if isinstance(error, OSError) else "not a host name"
    return invalid("host", f"cannot listen at {host} ({why}); give an address of this machine, or 0.0.0.0 for all")


def address_of(listener: socket.socket) -> str:
    """host:port under which this machine reaches the listener; the loopback address when it listens everywhere."""
    host, port = cast("tuple[str, int]", listener.getsockname()[:2])
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class StartFailure(msgspec.Struct, frozen=True):
    """Why the worker could not start: the slug of the error's kind, and its message."""

    slug: str
    message: str


def report_failure(outcome_out: int, error: ImpError) -> None:
    """Tell the parent why the worker cannot start."""
    os.write(outcome_out, msgspec.json.encode(StartFailure(kind_of(error).slug, str(error))))


def raise_failure(outcome_in: int) -> None:
    """Raise what the worker reported; the writing ends must be closed."""
    told = os.read(outcome_in, 65_536)
    if told:
        failure = msgspec.json.decode(told, type=StartFailure)
        raise error_of(failure.slug, failure.message)


class _OneWorkerServer(MPServer):
    """Granian with what must never differ; Granian's own hooks carry the process rules."""

    def __init__(self, settings: Settings, listener: socket.socket, outcome_out: int) -> None:
        super().__init__(
            "imp.app",
            address=settings.host,
            port=listener.getsockname()[1],
            interface=Interfaces.ASGI,
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(max_buffer_size=HEADER_BUFFER_BYTES),
            websockets=False,
            workers=1,
            backlog=BACKLOG,
            workers_kill_timeout=DRAIN_TIMEOUT_S,
            log_enabled=False,
            log_dictconfig=_GRANIAN_LOGS,
        )
        self._settings = settings
        self._listener = listener
        self._outcome_out = outcome_out
        self.on_startup(_ignore_hangup)

    def run(self) -> int:
        """Start the worker and stay until it ends; gives the exit code."""
        loader = partial(_load_worker, self._settings, address_of(self._listener), self._outcome_out, os.getpid())
        try:
            self.serve(target_loader=loader, wrap_loader=False)
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else 1
        else:
            return 0
        if self.interrupt_signal:
            return 0
        log.error("the worker ended by itself", directory=str(self._settings.directory))
        return code

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Stop; commands no longer look for this server, a successor waits for the directory."""
        for worker in self.wrks:
            runfile.remove(self._settings.directory, worker.inner.pid)
        super().signal_handler_interrupt(*args, **kwargs)

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        # A signal between fork and the worker's own handlers would run the parent's handler in the worker and be lost.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        super()._spawn_workers(spawn_target, target_loader)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _init_shared_socket(self) -> None:
        self._ssp = None
        self._sfd = os.dup(self._listener.fileno())  # SocketHolder closes what it holds
        self._shd = SocketHolder(self._sfd, False, BACKLOG)  # pyright: ignore[reportCallIssue]  # its stub is empty
        self._sso = self._listener


def _ignore_hangup() -> None:
    # Granian has just installed its reload handler; a worker forked after this inherits the ignored signal.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _load_worker(settings: Settings, address: str, outcome_out: int, parent_pid: int) -> Any:
    """What the worker serves; runs in the worker before it opens anything."""
    die_with_parent(parent_pid)
    _stop_at_once_until_started()
    logs.configure(settings.log_level)
    from imp.app import create_front  # noqa: PLC0415  # the parent forks before the application's threads exist

    return create_front(settings, address, partial(report_failure, outcome_out))


def _stop_at_once_until_started() -> None:
    """Let a stop signal end the worker as long as it has opened nothing; afterwards the first one drains it."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    _signals.set_loop_signals = partial(_drain_once, _signals.set_loop_signals)


def _drain_once(install: Callable[[Any], Any], loop: Any) -> Any:
    """Granian's handlers, limited to the first signal: its event blocks for ever when it is set again too early.

    A second signal is usual: supervisors signal the whole group, and the parent passes its own on.
    """
    stop = install(loop)
    waiting = [stop]

    def drain() -> None:
        if waiting:
            waiting.pop().set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, drain)
    return stop


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel for SIGKILL when the parent dies, and leave at once if it already has (prctl(2))."""
    if sys.platform != "linux":
        raise invalid(
            "platform", "serving needs Linux: elsewhere a worker could outlive its parent and keep the engine"
        )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        os._exit(1)


_GRANIAN_LOGS: Final[dict[str, Any]] = {
    "formatters": {},
    "handlers": {},
    "loggers": {
        "_granian": {"handlers": [], "level": "WARNING", "propagate": True},
        "granian.access": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
