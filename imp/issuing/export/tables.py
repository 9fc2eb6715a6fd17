"""Parquet form: one row group per chunk, one column per face, everything a reader needs in the file's metadata."""

# pyarrow ships no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownParameterType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from imp.issuing.export.job import ExportJob
from imp.issuing.export.rows import Bytes2, Chunk, Rows

_OPTIONS: Any = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": False,
    "write_statistics": ["index"],
    "column_encoding": {"index": "DELTA_BINARY_PACKED"},
}


def schema(job: ExportJob) -> pa.Schema:
    """Columns `index` and `code` (two faces: `outer_code`, `inner_code`); order, epoch and link prefix as metadata."""
    names = ["code"] if len(job.faces) == 1 else [f"{face.face}_code" for face in job.faces]
    about: dict[bytes | str, bytes | str] = {
        "imp.tenant": job.tenant,
        "imp.order": job.order,
        "imp.series": job.series,
        "imp.epoch": str(job.epoch),
        "imp.format": job.format,
        "imp.link_prefix": job.link_prefix,
    }
    fields = [pa.field("index", pa.int32(), False), *(pa.field(name, pa.string(), False) for name in names)]
    return pa.schema(fields, about)


def table(job: ExportJob, chunk: Chunk) -> pa.Table:
    """The chunk as an Arrow table; code texts are not copied."""
    columns = [pa.array(chunk.index.astype(np.int32)), *(_texts(codes) for codes in chunk.codes)]
    return pa.Table.from_arrays(columns, schema=schema(job))


def writer(job: ExportJob, sink: IO[bytes]) -> pq.ParquetWriter:
    """A writer whose bytes depend on nothing but the rows and the pyarrow version."""
    return pq.ParquetWriter(sink, schema(job), **_OPTIONS)


def part(job: ExportJob, chunk: Chunk) -> bytes:
    """One chunk as a Parquet file of its own."""
    sink = io.BytesIO()
    with writer(job, sink) as out:
        out.write_table(table(job, chunk), row_group_size=max(1, len(chunk)))
    return sink.getvalue()


def assemble(job: ExportJob, parts: list[Path], sink: IO[bytes]) -> None:
    """Join part files into one, a row group each; parts without rows vanish."""
    with writer(job, sink) as out:
        for path in parts:
            rows = pq.ParquetFile(path).read()
            if rows.num_rows:
                out.write_table(rows, row_group_size=rows.num_rows)


def stream(job: ExportJob, rows: Rows) -> Iterator[bytes]:
    """The whole file in pieces, a row group at a time."""
    sink = io.BytesIO()
    with writer(job, sink) as out:
        for chunk in rows.chunks():
            if len(chunk):
                out.write_table(table(job, chunk), row_group_size=len(chunk))
                yield _taken(sink)
    yield sink.getvalue()


def _taken(sink: io.BytesIO) -> bytes:
    """Bytes gathered so far. The writer counts offsets itself, so an emptied sink does not disturb it."""
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return data


def _texts(codes: Bytes2) -> pa.StringArray:
    count, width = codes.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(codes)))
