"""`imp doctor`: what may go wrong, found before it does."""

import errno
import os
import platform
import resource
import shutil
import stat
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import click
import msgspec

import imp
from imp import runfile
from imp.cli import output
from imp.cli.door import ask, opened
from imp.cli.failures import STORAGE, Hinted
from imp.cli.options import directory_options, settings_of
from imp.errors import ImpError
from imp.governance.schemas import Status, StatusRequest
from imp.settings import Settings

OPEN_FILES_MIN = 4_096
FREE_BYTES_WARN = 5_000_000_000
FREE_BYTES_MIN = 200_000_000
FSYNC_MS_WARN = 20.0
CLOCK_SLACK_S = 60

_FSYNC_ROUNDS = 15
_PACKAGES = ("litestar", "granian", "msgspec", "sqlalchemy", "pyarrow", "zxing-cpp")

_HINTS = {
    errno.ENOSPC: "free some space: a full disk stops the engine until it is restarted",
    errno.EDQUOT: "raise the quota of the user the server runs as",
    errno.EROFS: "mount it writable; after a disk failure look at the kernel's log first",
    errno.EACCES: "run as the user the server runs as",
    errno.EPERM: "run as the user the server runs as",
}

Result = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """One check: what was looked at, how it is, what to do."""

    check: str
    result: Result
    found: str
    hint: str | None = None


@click.command("doctor")
@directory_options
def doctor_(directory: Path | None, as_json: bool) -> int:
    """Check machine, data directory and engine; exit code 6 when something fails.

    No code and no setting changes: a probe file is written and removed, and without a live server the directory is
    opened as by any command.
    """
    findings = list(diagnose(settings_of(directory)))
    if as_json:
        output.document(msgspec.json.encode(findings))
    else:
        rows = [(finding.result, finding.check, finding.found) for finding in findings]
        output.table("", ("result", "check", "found"), rows)
        for finding in findings:
            if finding.hint:
                output.note(f"hint: {finding.check}: {finding.hint}")
    return STORAGE if any(finding.result == "fail" for finding in findings) else 0


def diagnose(settings: Settings) -> Iterator[Finding]:
    """All findings; those about the engine only when the directory can be opened at all."""
    yield from _software()
    yield from _machine()
    path = settings.directory
    if not _is_there(path / "imp.json"):
        yield Finding("directory", "fail", f"{path} is no data directory", f"make it with: imp init --dir {path}")
        return
    yield from _tried("directory", lambda: [_private("directory", path, 0o700)])
    yield from _tried("secret", lambda: _secret(settings))
    yield from _tried("disk space", lambda: [_room(path)])
    yield from _tried("disk flush", lambda: [_flush(path)])
    yield from _tried("clock", lambda: [_clock(path)])
    yield from _tried("server", lambda: [_owner(path)])
    yield from _tried("engine", lambda: _engine(settings))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be entered
        return False


def _tried(check: str, look: Callable[[], Iterable[Finding]]) -> Iterable[Finding]:
    """What a check finds; what the file system refuses it is a finding too, and the other checks go on."""
    try:
        return list(look())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return [Finding(check, "fail", f"{place}{error.strerror or error}", _HINTS.get(error.errno or 0))]


def _software() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} {sys.executable}")
    yield _release()
    yield Finding("packages", "ok", ", ".join(f"{name} {version(name)}" for name in _PACKAGES))


def _release() -> Finding:
    """The native module must come from the same build as the Python around it."""
    try:
        installed = version("imp-platform")
    except PackageNotFoundError:
        return Finding("imp", "ok", f"native module {imp.__version__}, run from its sources")
    if installed == imp.__version__:
        return Finding("imp", "ok", installed)
    return Finding("imp", "fail", f"{installed}, native module {imp.__version__}", "install both from one build")


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    flags = Path("/proc/cpuinfo").read_text("ascii", "replace") if Path("/proc/cpuinfo").exists() else ""
    has_aes = " aes " in flags or platform.machine() in {"aarch64", "arm64"}
    found = f"{cores} cores, {'AES instructions' if has_aes else 'no AES instructions'}"
    hint = None if has_aes else "codes are derived many times slower without AES instructions"
    yield Finding("processor", "ok" if has_aes else "warn", found, hint)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft < OPEN_FILES_MIN
    hint = f"raise it to {OPEN_FILES_MIN} or more: ulimit -n {min(hard, 65_536)}, or LimitNOFILE= in the unit file"
    yield Finding("open files", "warn" if few else "ok", f"limit {soft}", hint if few else None)


def _private(check: str, path: Path, mode: int) -> Finding:
    """Mode and owner of what only the owner may read."""
    status = path.stat()
    found = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        return Finding(check, "fail", f"{path} belongs to user {status.st_uid}", f"run as that user, or: chown {path}")
    if found & ~mode:
        return Finding(check, "fail", f"{path} has mode {found:04o}", f"chmod {mode:o} {path}")
    return Finding(check, "ok", f"{path}, mode {found:04o}")


def _secret(settings: Settings) -> Iterator[Finding]:
    if settings.secret is not None:
        hint = "the environment of a process can be read by its user; a file with mode 0600 or a KMS is safer"
        yield Finding("secret", "warn", "from the environment", hint)
    elif settings.secret_kms is not None:
        yield Finding("secret", "ok", f"from {settings.secret_kms}")
    else:
        path = settings.secret_file or settings.directory / "secret"
        if path.exists():
            yield _private("secret", path, 0o600)
        else:
            yield Finding("secret", "fail", f"{path} is missing", "put the directory's master secret back")


def _room(path: Path) -> Finding:
    usage = shutil.disk_usage(path)
    found = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
    if usage.free < FREE_BYTES_MIN:
        return Finding("disk space", "fail", found, "free some: a full disk stops the engine until it is restarted")
    if usage.free < FREE_BYTES_WARN:
        return Finding("disk space", "warn", found, "free some before it runs out")
    return Finding("disk space", "ok", found)


def _flush(path: Path) -> Finding:
    """Time of a small durable write: what every command waits for."""
    probe = path / ".doctor"
    handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    times_ms: list[float] = []
    try:
        for _ in range(_FSYNC_ROUNDS):
            os.write(handle, bytes(4_096))
            began = time.perf_counter()
            os.fsync(handle)
            times_ms.append((time.perf_counter() - began) * 1_000)
    finally:
        os.close(handle)
        probe.unlink(missing_ok=True)
    median = statistics.median(times_ms)
    slow = median > FSYNC_MS_WARN
    hint = "commands wait for this; use a faster disk" if slow else None
    return Finding("disk flush", "warn" if slow else "ok", f"{median:.2f} ms (median of {_FSYNC_ROUNDS})", hint)


def _clock(path: Path) -> Finding:
    """A clock that stands before what was already written was set back."""
    newest = max((entry.stat().st_mtime for entry in (path, *path.iterdir())), default=0.0)
    now = time.time()
    found = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if newest > now + CLOCK_SLACK_S:
        behind = f"{found}, {newest - now:.0f} s before the newest file of the directory"
        return Finding("clock", "fail", behind, "set the clock (NTP); expiry and sessions depend on it")
    return Finding("clock", "ok", found)


def _owner(path: Path) -> Finding:
    owner, left = runfile.live(path), runfile.read(path)
    if owner is not None:
        return Finding("server", "ok", f"http://{owner.address}, process {owner.pid}, version {owner.version}")
    if left is not None:
        hint = "harmless: the next server replaces it"
        return Finding("server", "warn", f"none; run.json is left from process {left.pid}, which is gone", hint)
    return Finding("server", "ok", "none")


def _engine(settings: Settings) -> Iterator[Finding]:
    try:
        with opened(settings) as door:
            status = ask(door, "status", "", StatusRequest(), Status)
    except (ImpError, Hinted) as error:
        yield Finding("engine", "fail", str(error), error.hint if isinstance(error, Hinted) else None)
        return
    result: Result = "ok" if status.ready else "fail"
    yield Finding(
        "engine", result, f"{status.kind}, version {status.version}, {'ready' if status.ready else 'not ready'}"
    )
    for alarm in status.alarms:
        subject = " ".join(part for part in (alarm.tenant, alarm.subject) if part)
        yield Finding(alarm.kind, "warn", f"{subject}: {alarm.message}" if subject else alarm.message)
