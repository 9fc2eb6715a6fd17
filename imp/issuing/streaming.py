"""An order's codes as a stream, made by a process of its own: a large order costs the event loop nothing.

The process (`python -m imp.issuing.streaming`) opens no data directory. Job and keys arrive on standard input as one
JSON document and never touch a file; rows leave on standard output.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from typing import BinaryIO, Final, Literal, cast

import msgspec
import structlog

from imp.errors import Busy, ImpError
from imp.settings import without_settings

StreamForm = Literal["csv", "parquet"]

MEDIA_TYPES: Final[dict[StreamForm, str]] = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}

STREAMS_MAX: Final = 2
"""Processes that make rows at the same time; one more request is asked to come back."""

_COMMAND: Final = (sys.executable, "-m", "imp.issuing.streaming")
_READ_BYTES: Final = 256 * 1024
_NICENESS: Final = 5


log = structlog.stdlib.get_logger("imp.issuing")


class StreamBroken(ImpError):
    """The process that makes the rows ended early; what was sent is not the whole order."""


class Places:
    """How many streams may run at once. A place is free again when its stream is over, however it ends."""

    def __init__(self, places: int = STREAMS_MAX) -> None:
        self._free = places

    @contextlib.contextmanager
    def one(self) -> Generator[None]:
        """Hold a place; raises Busy when there is none."""
        if self._free == 0:
            raise Busy("other orders are being streamed; repeat the request when one of them is done")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


class StreamJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the process reads: an ExportJob as JSON, and (face, slot, key in hexadecimal) for each of its faces."""

    job: msgspec.Raw
    keys: tuple[tuple[str, int, str], ...]

    def __repr__(self) -> str:
        """Never shows a key."""
        return f"StreamJob({len(self.keys)} faces)"


async def stream(job: bytes, keys: Sequence[tuple[str, int, bytes]], places: Places) -> AsyncGenerator[bytes]:
    """Rows of an export job, in pieces. The process ends with the iterator, however that ends.

    Raises Busy before the first piece when no place is free, StreamBroken when rows are missing.
    """
    with places.one():
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=without_settings()
        )
        told = cast("asyncio.StreamWriter", process.stdin)
        rows = cast("asyncio.StreamReader", process.stdout)
        try:
            asked = StreamJob(msgspec.Raw(job), tuple((face, slot, key.hex()) for face, slot, key in keys))
            told.write(msgspec.json.encode(asked))
            told.close()
            while piece := await rows.read(_READ_BYTES):
                yield piece
            if await process.wait() != 0:
                broken = StreamBroken(f"the process that makes the rows ended with code {process.returncode}")
                log.error("stream broken", cause=str(broken))  # the answer has begun: the client sees it break off
                raise broken
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def main(told: BinaryIO, out: BinaryIO) -> None:
    """Read one StreamJob, write all its rows."""
    asked = msgspec.json.decode(told.read(), type=StreamJob)
    out.writelines(_pieces(asked))
    out.flush()


def _pieces(asked: StreamJob) -> Iterator[bytes]:
    # Imported here: the server imports this module for `stream` and needs neither NumPy nor Arrow for that.
    from imp.codes import SlotCipher  # noqa: PLC0415
    from imp.issuing.export.job import ExportJob, check  # noqa: PLC0415
    from imp.issuing.export.stream import CODES_PER_PIECE, csv_pieces, parquet_pieces  # noqa: PLC0415

    job = check(msgspec.json.decode(asked.job, type=ExportJob))
    job = msgspec.structs.replace(job, codes_per_chunk=CODES_PER_PIECE)
    encoders = {face: SlotCipher(job.format, slot, bytes.fromhex(key)) for face, slot, key in asked.keys}
    return csv_pieces(job, encoders) if job.form == "csv" else parquet_pieces(job, encoders)


if __name__ == "__main__":
    os.nice(_NICENESS)
    main(sys.stdin.buffer, sys.stdout.buffer)
