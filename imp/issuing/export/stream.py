"""The same rows as an export, in pieces for an HTTP answer; nothing touches the disk."""

from collections.abc import Iterator

from imp.issuing.export import tables
from imp.issuing.export.job import ExportJob
from imp.issuing.export.rows import Encoders, Rows, csv_header, csv_rows

CODES_PER_PIECE = 50_000


def csv_pieces(job: ExportJob, encoders: Encoders) -> Iterator[bytes]:
    """CSV in pieces of `job.codes_per_chunk` codes. Each piece takes a few milliseconds of CPU: call it in a thread."""
    yield csv_header(job)
    for chunk in Rows(job, encoders).chunks():
        yield csv_rows(job, chunk)


def parquet_pieces(job: ExportJob, encoders: Encoders) -> Iterator[bytes]:
    """A Parquet file in pieces of one row group (`job.codes_per_chunk` codes) each."""
    return tables.stream(job, Rows(job, encoders))
