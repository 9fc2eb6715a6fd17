"""Rows of an export: serials minus those left out, their codes, rendered to bytes without a Python loop per code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from imp.issuing.export.job import ExportJob, left_out_ranges

Bytes2 = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

_COMMA, _TAB, _NEWLINE = b",", b"\t", b"\n"


class Encoder(Protocol):
    """What derives codes: `imp.codes.SlotCipher`, one per face."""

    def encode_range(self, first: int, count: int, threads: int = 1) -> bytes:
        """Codes of `count` serials from `first`, fixed width, one after the other."""
        ...


Encoders = Mapping[str, Encoder]


@dataclass(frozen=True)
class Chunk:
    """Rows of a chunk: each item's `index` in the order, its printed `row` (from 0), its codes per face (n × width)."""

    number: int
    index: Numbers
    row: Numbers
    codes: tuple[Bytes2, ...]

    def __len__(self) -> int:
        return len(self.index)


class Rows:
    """All chunks of a job; each can be made alone, so that an export may go on anywhere."""

    def __init__(self, job: ExportJob, encoders: Encoders) -> None:
        self._job = job
        self._encoders = [encoders[face.face] for face in job.faces]
        left = left_out_ranges(job)
        self._out_first: Numbers = left[:, 0] - job.first_serial
        self._out_end: Numbers = self._out_first + left[:, 1]

    def chunk(self, number: int) -> Chunk:
        """Make one chunk, `number` from 0."""
        job = self._job
        first = number * job.codes_per_chunk
        count = min(job.codes_per_chunk, job.span - first)
        keep = self._keep(first, count)
        index = np.flatnonzero(keep) + first
        row = np.arange(len(index), dtype=np.int64) + first - self._left_out_before(first)
        codes = tuple(self._codes(encoder, first, count, keep) for encoder in self._encoders)
        return Chunk(number, index, row, codes)

    def chunks(self, start: int = 0) -> Iterator[Chunk]:
        """All chunks from `start`."""
        return (self.chunk(number) for number in range(start, self._job.chunks))

    def _keep(self, first: int, count: int) -> npt.NDArray[np.bool_]:
        steps = np.zeros(count + 1, dtype=np.int8)
        touching = (self._out_end > first) & (self._out_first < first + count)
        # Ranges are disjoint but may touch each other: += over both ends keeps the running sum at 0 or 1.
        np.add.at(steps, np.clip(self._out_first[touching] - first, 0, count), 1)
        np.add.at(steps, np.clip(self._out_end[touching] - first, 0, count), -1)
        return np.cumsum(steps[:count]) == 0

    def _left_out_before(self, first: int) -> int:
        return int((np.clip(self._out_end, None, first) - np.clip(self._out_first, None, first)).sum())

    def _codes(self, encoder: Encoder, first: int, count: int, keep: npt.NDArray[np.bool_]) -> Bytes2:
        width = self._job.code_width
        if not keep.any():
            return np.empty((0, width), dtype=np.uint8)
        packed = encoder.encode_range(self._job.first_serial + first, count)
        codes = np.frombuffer(packed, dtype=np.uint8).reshape(count, width)
        return codes if keep.all() else codes[keep]


def _text(value: bytes, rows: int) -> Bytes2:
    return np.broadcast_to(np.frombuffer(value, dtype=np.uint8), (rows, len(value)))


def _decimal(values: Numbers, width: int) -> Bytes2:
    """Decimal digits of non-negative numbers, right-aligned with leading zeros."""
    digits = np.empty((len(values), width), dtype=np.uint8)
    rest = values.copy()
    for column in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, 10)
        digits[:, column] = digit + ord("0")
    return digits


def _grouped(codes: Bytes2) -> Bytes2:
    """Readable text: groups of four characters with a space between."""
    parts: list[Bytes2] = []
    for start in range(0, codes.shape[1], 4):
        parts += [_text(b" ", len(codes)), codes[:, start : start + 4]]
    return np.concatenate(parts[1:], axis=1)


def _runs_of_equal_digits(values: Numbers) -> Iterator[tuple[slice, int]]:
    """Slices of ascending `values` whose decimal texts are equally long, with that length."""
    start, width = 0, 1
    while start < len(values):
        end = int(np.count_nonzero(values < 10**width))
        if end > start:
            yield slice(start, end), width
        start, width = end, width + 1


def csv_header(job: ExportJob) -> bytes:
    """First line of a CSV export."""
    if len(job.faces) == 1:
        return b"index,code,link\n"
    return b",".join([b"index", *(f"{face.face}_code,{face.face}_link".encode() for face in job.faces)]) + _NEWLINE


def csv_rows(job: ExportJob, chunk: Chunk) -> bytes:
    """CSV lines of a chunk: index in the order, then code and link of each face. Nothing in them needs quotes."""
    prefix = job.link_prefix.encode()
    pieces: list[bytes] = []
    for part, width in _runs_of_equal_digits(chunk.index):
        rows = part.stop - part.start
        columns = [_decimal(chunk.index[part], width)]
        for codes in chunk.codes:
            columns += [_text(_COMMA, rows), codes[part], _text(_COMMA + prefix, rows), codes[part]]
        columns.append(_text(_NEWLINE, rows))
        pieces.append(np.concatenate(columns, axis=1).tobytes())
    return b"".join(pieces)


def txt_rows(job: ExportJob, chunk: Chunk) -> bytes:
    """Printer lines of a chunk, tab-separated: per face the exact print string and the readable text, then roll-row.

    Roll and row start at 1; both are padded with zeros so that every line has the same length.
    """
    rows = len(chunk)
    roll, row = np.divmod(chunk.row, job.labels_per_roll)
    prefix = job.link_prefix.encode()
    columns: list[Bytes2] = []
    for codes in chunk.codes:
        columns += [_text(prefix, rows), codes, _text(_TAB, rows), _grouped(codes), _text(_TAB, rows)]
    roll_width = len(str((job.count - 1) // job.labels_per_roll + 1)) if job.count else 1
    columns += [
        _decimal(roll + 1, roll_width),
        _text(b"-", rows),
        _decimal(row + 1, len(str(job.labels_per_roll))),
        _text(_NEWLINE, rows),
    ]
    return np.concatenate(columns, axis=1).tobytes()
