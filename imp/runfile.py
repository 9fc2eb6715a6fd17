"""`run.json`: how a command finds the live server that owns a data directory."""

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

RUN_FILE: Final = "run.json"
_TOKEN_BYTES: Final = 32


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """A live server: where it listens, who it is, and the token that opens its local admin door.

    address is host:port. pid is the process that owns the engine; start_ticks, its start time as the kernel counts it,
    tells it from a later process that got the same pid. started_at_us is when the file was written.
    """

    address: str
    pid: int
    start_ticks: int
    started_at_us: int
    admin_token: str
    version: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"RunFile(address={self.address!r}, pid={self.pid}, started_at_us={self.started_at_us})"


def new_token() -> str:
    """A random admin token."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def write(directory: Path, run: RunFile) -> None:
    """Put the file in place at once, readable by its owner only; a reader sees the old one, the new one or none."""
    staged = directory / f".{RUN_FILE}.{run.pid}"
    staged.unlink(missing_ok=True)
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(run))
    staged.replace(directory / RUN_FILE)


def read(directory: Path) -> RunFile | None:
    """The file's content; None when there is none or it is not readable as one."""
    try:
        return msgspec.json.decode((directory / RUN_FILE).read_bytes(), type=RunFile)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def live(directory: Path) -> RunFile | None:
    """The file's content when the process it names still runs; a stale file counts as none."""
    run = read(directory)
    return run if run is not None and start_ticks(run.pid) == run.start_ticks else None


def remove(directory: Path, pid: int) -> None:
    """Remove the file if it is the one `pid` wrote."""
    run = read(directory)
    if run is not None and run.pid == pid:
        (directory / RUN_FILE).unlink(missing_ok=True)


def start_ticks(pid: int) -> int | None:
    """Start time of a process in kernel ticks since boot; None when there is no such process or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the command name before it may hold anything
    return None if fields[0] in {"Z", "X"} else int(fields[19])
