"""Starting a job process, handing it the keys, waiting for its end."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

import msgspec

from imp.errors import ImpError, error_of
from imp.issuing.export.manifest import Manifest
from imp.settings import without_settings

FaceKey = tuple[str, int, bytes]
"""(face, slot, key), as `Engine.export_keys` gives them."""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the job process reads from standard input; keys in hexadecimal."""

    keys: tuple[tuple[str, int, str], ...]

    def __repr__(self) -> str:
        """Never shows a key."""
        return f"Keys({len(self.keys)} faces)"


class Written(msgspec.Struct, frozen=True, tag="written"):
    """Items on disk so far, of all."""

    rows: int
    count: int


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The export is whole."""

    manifest: Manifest


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The job stopped; what it wrote stays for the next run."""

    slug: str
    message: str


Line = Written | Finished | Failed
"""One line of the job process's standard output."""


async def run_job(job_file: Path, keys: Sequence[FaceKey]) -> Manifest:
    """Run the job in a process of its own until it is finished.

    Raises what stopped the job; called again, the export goes on where it was. Cancelling stops the process.
    """
    command = (sys.executable, "-m", "imp.issuing.export", str(job_file))
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=without_settings())
    try:
        last = await _converse(process, keys)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    match last:
        case Finished(manifest):
            return manifest
        case Failed(slug, message):
            raise error_of(slug, message)
        case _:
            raise ImpError(f"the export process ended with code {process.returncode}; run the export again to go on")


async def _converse(process: Process, keys: Sequence[FaceKey]) -> Line | None:
    """Hand over the keys and read to the end; returns the last line."""
    given = msgspec.json.encode(Keys(tuple((face, slot, key.hex()) for face, slot, key in keys)))
    output, _ = await process.communicate(given)
    lines = output.splitlines()
    return msgspec.json.decode(lines[-1], type=Line) if lines else None
