"""What is already on disk: one line per finished chunk, written after the chunk itself is on disk.

The progress file survives a kill or a power loss at any moment. Its last line may be torn and then counts for nothing.
"""

import contextlib
import os
from pathlib import Path
from typing import Self

import msgspec

from imp.files import open_private, sync_folder, write_all
from imp.issuing.export.job import ExportJob


class ChunkDone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One chunk on disk: codes rows, bytes and their SHA-256."""

    chunk: int
    rows: int
    bytes: int
    sha256: str


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    job_sha256: str


def rows_done(path: Path) -> int:
    """Items on disk by the progress file of a running export; for showing only."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return 0
    rows = 0
    for line in lines[1:]:
        with contextlib.suppress(msgspec.DecodeError):
            rows += msgspec.json.decode(line, type=ChunkDone).rows
    return rows


class Progress:
    """The progress file of one job; lines of another job are dropped."""

    def __init__(self, path: Path, job: ExportJob) -> None:
        self._path = path
        self._handle = open_private(path)
        header = msgspec.json.encode(_Header(job.digest())) + b"\n"
        self.done: list[ChunkDone] = []
        end = self._read(header)
        if end == 0:
            os.ftruncate(self._handle, 0)
            self._append(header)
            sync_folder(path.parent)
        else:
            os.ftruncate(self._handle, end)
            os.lseek(self._handle, end, os.SEEK_SET)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def _read(self, header: bytes) -> int:
        """Collect the whole lines that follow each other from chunk 0; returns where they end."""
        lines = self._path.read_bytes().splitlines(keepends=True)
        if not lines or lines[0] != header:
            return 0
        end = len(header)
        for line in lines[1:]:
            try:
                done = msgspec.json.decode(line, type=ChunkDone)
            except msgspec.DecodeError:
                break
            if not line.endswith(b"\n") or done.chunk != len(self.done):
                break
            self.done.append(done)
            end += len(line)
        return end

    def forget_from(self, chunk: int) -> None:
        """Drop chunks whose bytes turned out to be missing or changed."""
        del self.done[chunk:]
        kept = [msgspec.json.encode(done) + b"\n" for done in self.done]
        header = self._path.read_bytes().splitlines(keepends=True)[0]
        end = len(header) + sum(map(len, kept))
        os.ftruncate(self._handle, end)
        os.lseek(self._handle, end, os.SEEK_SET)

    def add(self, done: ChunkDone) -> None:
        """Note a chunk that is on disk."""
        self._append(msgspec.json.encode(done) + b"\n")
        self.done.append(done)

    def _append(self, line: bytes) -> None:
        write_all(self._handle, line)
        os.fsync(self._handle)
