"""Files that are private (mode 0600) and appear whole or not at all."""

import os
from pathlib import Path

PRIVATE = 0o600


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_private(path: Path) -> int:
    """Open for reading and writing, created with mode 0600 whatever the umask; a symbolic link is refused."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
    os.fchmod(handle, PRIVATE)
    return handle


def write_all(handle: int, data: bytes | memoryview) -> None:
    """Write every byte; a short write means a nearly full disk, the next one then raises."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def write_whole(path: Path, data: bytes) -> None:
    """Replace `path` by `data` atomically and durably, mode 0600."""
    draft = path.with_name(path.name + ".new")
    handle = open_private(draft)
    try:
        os.ftruncate(handle, 0)
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)
    sync_folder(path.parent)
