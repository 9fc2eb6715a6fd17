"""Child processes that end: with the block that started them, with this process, or when their time is up."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.cores import pinned
from bench.machine import ROOT, SEARCH

STOP_TIMEOUT_S = 20
JOB_TIMEOUT_S = 240


class ChildFailed(Exception):
    """A process that belongs to a measurement failed; the message ends with what it said."""


@contextmanager
def running(command: Sequence[str], log: Path, *, core: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process while the block runs; its output goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            _bound(command, core), cwd=ROOT, env=_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL if that does not help."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def output_of(command: Sequence[str], *, core: int | None = None, timeout_s: float = JOB_TIMEOUT_S) -> bytes:
    """What a command prints; raises ChildFailed when it fails or takes longer than `timeout_s`."""
    pipe = subprocess.PIPE
    with subprocess.Popen(_bound(command, core), cwd=ROOT, env=_environment(), stdout=pipe, stderr=pipe) as process:
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise ChildFailed(f"{' '.join(command)}: took longer than {timeout_s:.0f} s") from None
        finally:
            stop(process)
    if process.returncode != 0:
        said = (errors or output).decode(errors="replace").strip()
        raise ChildFailed(f"{' '.join(command)}: exit code {process.returncode}\n{said}")
    return output


def job[T](module: str, request: msgspec.Struct, response: type[T], *, core: int | None = None) -> T:
    """Run a module whose `main` is `answer_job`, in a process of its own."""
    command = [sys.executable, "-m", module, msgspec.json.encode(request).decode()]
    return msgspec.json.decode(output_of(command, core=core), type=response)


def answer_job[Q: msgspec.Struct](request: type[Q], work: Callable[[Q], msgspec.Struct]) -> None:
    """The other side of `job`: request in the first argument, response on standard output, both JSON."""
    result = work(msgspec.json.decode(sys.argv[1], type=request))
    sys.stdout.buffer.write(msgspec.json.encode(result))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    is_so: Callable[[], bool], what: str, process: subprocess.Popen[bytes], log: Path, limit_s: float = 60
) -> None:
    """Poll until `is_so`; raises ChildFailed when the process ends first or the time is up."""
    deadline = time.monotonic() + limit_s
    while not is_so():
        if process.poll() is not None:
            raise ChildFailed(f"ended before {what}\n{log.read_text(errors='replace')[-2_000:]}")
        if time.monotonic() > deadline:
            raise ChildFailed(f"not {what} after {limit_s:.0f} s\n{log.read_text(errors='replace')[-2_000:]}")
        time.sleep(0.05)


def _bound(command: Sequence[str], core: int | None) -> list[str]:
    """A child dies when this process does, however that ends."""
    tied = ["setpriv", "--pdeathsig", "TERM", *command]
    return tied if core is None else pinned(tied, core)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMP_")}
    return kept | {"PATH": SEARCH}
