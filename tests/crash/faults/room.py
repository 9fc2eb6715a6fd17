"""Places that run full or become read-only: a tmpfs in a private mount namespace, or what comes near it without rights.

Root makes the namespace itself; other users make one inside a user namespace, where the system lets them. Where it
does not, a limit on the size of files and the permissions of the directory fail at the same calls.
"""

import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ROOM_KIB = 16 << 10
FILE_BLOCKS = 4 << 10  # of 512 bytes; the journal is the first to meet it
_WAYS = (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount"))


@cache
def namespace() -> tuple[str, ...] | None:
    """The command that gives a program mounts of its own; None where the system forbids it."""
    for way in _WAYS:
        tried = subprocess.run([*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
        if tried.returncode == 0:
            return way
    return None


def kind() -> str:
    """What is used here, for the record."""
    way = namespace()
    return f"tmpfs mounted by `{' '.join(way)}`" if way else "NO MOUNTS ALLOWED: file size limit and permissions"


def small_room(at: Path) -> Sequence[str]:
    """A command prefix that runs a program with `at` as a small disk, or with a limit on the size of files."""
    at.mkdir(exist_ok=True)
    way = namespace()
    if way is None:
        # Root obeys permissions only without the capability to override them.
        obey = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        return [*obey, "sh", "-c", f"trap '' XFSZ; ulimit -S -f {FILE_BLOCKS}; exec \"$@\"", "sh"]
    return [*way, "sh", "-c", f'mount -t tmpfs -o size={ROOM_KIB}k tmpfs "$0" && exec "$@"', str(at)]


def fill(ballast: Path) -> list[str]:
    """The command that leaves the program that runs it no room at all."""
    if namespace():
        return ["sh", "-c", f"cat /dev/zero > {ballast} 2>/dev/null || true"]
    return ["sh", "-c", "prlimit --pid $PPID --fsize=0:"]


def make_room(ballast: Path) -> list[str]:
    """The command that gives the program that runs it room again."""
    if namespace():
        return ["rm", "-r", str(ballast)]
    return ["sh", "-c", "prlimit --pid $PPID --fsize=unlimited"]


def full_sign() -> str:
    """What the engine says when the room is full."""
    return "the disk is full; free space" if namespace() else "a file may not grow any further"


def make_read_only(at: Path) -> list[str]:
    """The command that makes a room read-only, to be run inside it."""
    return ["mount", "-o", "remount,ro", str(at)] if namespace() else ["chmod", "-R", "a-w", str(at)]


def make_writable(at: Path) -> list[str]:
    """The way back."""
    return ["mount", "-o", "remount,rw", str(at)] if namespace() else ["chmod", "-R", "u+w", str(at)]


def read_only_sign() -> str:
    """What the engine says about a read-only place."""
    return "mounted read-only; mount it writable" if namespace() else "no permission to write"
