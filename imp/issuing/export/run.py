"""Carrying out a job: chunks to disk one by one, resumable at any moment.

The finished file gets its name only when it is whole and its manifest stands beside it.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import zstandard

from imp.errors import Conflict, StorageError
from imp.files import open_private, sync_folder, write_all, write_whole
from imp.issuing.export import tables
from imp.issuing.export.images import images
from imp.issuing.export.job import IMAGE_FORMS, ExportJob
from imp.issuing.export.manifest import Manifest, file_sha256, folder_sha256, manifest_path, of_job, verify
from imp.issuing.export.names import Names, only_writer
from imp.issuing.export.progress import ChunkDone, Progress
from imp.issuing.export.rows import Chunk, Encoders, Rows, csv_header, csv_rows, txt_rows

_ZSTD_LEVEL = 3
_READ_BYTES = 4 * 1024 * 1024
_DISK_RESERVE_BYTES = 64 * 1024 * 1024


Report = Callable[[int, int], None]
"""Called with (codes written, codes in all) after each chunk."""


def run(job: ExportJob, names: Names, encoders: Encoders, report: Report) -> Manifest:
    """Write the export or finish an interrupted one; returns its manifest.

    Raises Busy when another process writes it, Conflict when the finished name is taken, StorageError when the disk is
    full.
    """
    rows = Rows(job, encoders)
    with only_writer(names):
        if names.target.exists():
            return _already_finished(job, names)
        if job.form in IMAGE_FORMS:
            size, sha256 = _write_images(job, names, rows)
            report(job.count, job.count)
        elif job.form == "parquet":
            size, sha256 = _write_parquet(job, names, rows, report)
        else:
            size, sha256 = _write_lines(job, names, rows, report)
        manifest = of_job(job, names.target, size, sha256)
        write_whole(manifest_path(names.target), msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
        names.part.rename(names.target)
        sync_folder(names.target.parent)
        names.remove_drafts()
    return manifest


def _already_finished(job: ExportJob, names: Names) -> Manifest:
    """A kill between last rename and cleaning up left this; any other file of that name is not ours to replace."""
    if manifest_path(names.target).exists():
        manifest = verify(names.target)
        if manifest.job_sha256 == job.digest():
            names.remove_drafts()
            return manifest
    raise Conflict(f"{names.target} exists; move it away or choose another name")


def _write_lines(job: ExportJob, names: Names, rows: Rows, report: Report) -> tuple[int, str]:
    """CSV, CSV in zstd frames (one per chunk) and TXT: chunks appended to one file."""
    handle = open_private(names.part)
    try:
        with Progress(names.progress, job) as progress:
            _go_to_end(handle, progress)
            written = sum(done.rows for done in progress.done)
            report(written, job.count)
            for chunk in rows.chunks(len(progress.done)):
                data = _lines(job, chunk)
                _need_room(names.part, len(data))
                write_all(handle, data)
                os.fsync(handle)
                progress.add(ChunkDone(chunk.number, len(chunk), len(data), hashlib.sha256(data).hexdigest()))
                written += len(chunk)
                report(written, job.count)
    finally:
        os.close(handle)
    return file_sha256(names.part)


def _lines(job: ExportJob, chunk: Chunk) -> bytes:
    if job.form == "txt":
        return txt_rows(job, chunk)
    text = csv_rows(job, chunk) if chunk.number else csv_header(job) + csv_rows(job, chunk)
    if job.form == "csv":
        return text
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(text)


def _go_to_end(handle: int, progress: Progress) -> None:
    """Check the chunks on disk against their hashes, drop what follows the last good one, and stand there."""
    end = 0
    for done in list(progress.done):
        if _sha256_at(handle, end, done.bytes) != done.sha256:
            progress.forget_from(done.chunk)
            break
        end += done.bytes
    os.ftruncate(handle, end)
    os.lseek(handle, end, os.SEEK_SET)


def _sha256_at(handle: int, start: int, size: int) -> str:
    """SHA-256 of `size` bytes from `start`, or of what is left of them."""
    digest = hashlib.sha256()
    end = start + size
    while start < end and (data := os.pread(handle, min(end - start, _READ_BYTES), start)):
        digest.update(data)
        start += len(data)
    return digest.hexdigest()


def _write_parquet(job: ExportJob, names: Names, rows: Rows, report: Report) -> tuple[int, str]:
    """A part file per chunk, then one file with a row group per part; interrupted joining starts again from parts."""
    with Progress(names.progress, job) as progress:
        for done in list(progress.done):
            path = names.table_part(done.chunk)
            if not path.exists() or file_sha256(path) != (done.bytes, done.sha256):
                progress.forget_from(done.chunk)
                break
        written = sum(done.rows for done in progress.done)
        report(written, job.count)
        for chunk in rows.chunks(len(progress.done)):
            data = tables.part(job, chunk)
            _need_room(names.part, len(data))
            write_whole(names.table_part(chunk.number), data)
            progress.add(ChunkDone(chunk.number, len(chunk), len(data), hashlib.sha256(data).hexdigest()))
            written += len(chunk)
            report(written, job.count)
        _need_room(names.part, sum(done.bytes for done in progress.done))
    _join(job, names)
    return file_sha256(names.part)


def _join(job: ExportJob, names: Names) -> None:
    handle = open_private(names.part)
    os.ftruncate(handle, 0)
    with os.fdopen(handle, "wb") as sink:
        tables.assemble(job, [names.table_part(chunk) for chunk in range(job.chunks)], sink)
        sink.flush()
        os.fsync(sink.fileno())


def _write_images(job: ExportJob, names: Names, rows: Rows) -> tuple[int, str]:
    """A folder of images; few enough to start again when interrupted."""
    if names.part.exists():
        shutil.rmtree(names.part)
    names.part.mkdir(mode=0o700)
    for chunk in rows.chunks():
        for name, data in images(job, chunk):
            write_whole(names.part / name, data)
    return folder_sha256(names.part)


def _need_room(near: Path, size: int) -> None:
    """Stop before the disk is full: others write there too."""
    free = shutil.disk_usage(near.parent).free
    if free < size + _DISK_RESERVE_BYTES:
        needed = (size + _DISK_RESERVE_BYTES) // 1_000_000 + 1
        raise StorageError(f"{near.parent} has {free // 1_000_000} MB left, the next chunk and a reserve need {needed}")
