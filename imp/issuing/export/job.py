"""The job file: what an export contains, in which form; everything the job process needs besides keys."""

import hashlib
import re
from pathlib import Path
from typing import Literal, get_args

import msgspec
import numpy as np
import numpy.typing as npt

from imp.errors import CorruptData, IncompatibleData, InvalidInput
from imp.files import write_whole

JOB_VERSION = 1
CODES_PER_CHUNK = 1_000_000
IMAGES_MAX = 1_000
LABELS_PER_ROLL = 10_000
SERIALS_MAX = 2**40
CODE_WIDTHS = {"base32": 15, "digits": 20}

Form = Literal["csv", "csv.zst", "parquet", "txt", "png", "svg"]
Symbol = Literal["qr", "datamatrix"]
FORMS: tuple[str, ...] = get_args(Form)
IMAGE_FORMS = ("png", "svg")

_OF_RANGES = b"0123456789[], \n"
_LINK_PREFIX = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%-]+)*/")


class JobFace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One face of the order: `face` is "outer" or "inner", `slot` names its key in the code."""

    face: Literal["outer", "inner"]
    slot: int


class ExportJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One export. Serials are numbers inside the key space; an item's index is its serial minus `first_serial`.

    span: serials the order covers, left-out ones included. left_out: [[first serial, count], …] of serials that are not
    written (void items, serials skipped by the word list), ascending and disjoint; there may be millions, so they stay
    JSON until `left_out_ranges`. count: items that will be written.
    link_prefix: what precedes a code in its link. labels_per_roll: rows after which TXT starts the next roll.
    """

    version: int = JOB_VERSION
    tenant: str
    order: str
    series: str
    epoch: int
    format: Literal["base32", "digits"]
    faces: tuple[JobFace, ...]
    first_serial: int
    span: int
    left_out: msgspec.Raw
    count: int
    link_prefix: str
    form: Form
    symbol: Symbol = "qr"
    codes_per_chunk: int = CODES_PER_CHUNK
    labels_per_roll: int = LABELS_PER_ROLL

    @property
    def code_width(self) -> int:
        """Characters of one code."""
        return CODE_WIDTHS[self.format]

    @property
    def chunks(self) -> int:
        """Number of chunks; the last one may be shorter."""
        return -(-self.span // self.codes_per_chunk)

    def digest(self) -> str:
        """SHA-256 of the job; progress belongs to exactly one job."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


def check(job: ExportJob) -> ExportJob:
    """Return `job` or raise InvalidInput naming the field that cannot be exported."""
    if job.version != JOB_VERSION:
        raise IncompatibleData(f"job file version {job.version}; this version of IMP reads {JOB_VERSION}")
    if not job.faces:
        raise InvalidInput("faces: the order holds imported codes, IMP has no keys for them; use the imported file")
    if not 1 <= job.span <= SERIALS_MAX or not 0 <= job.first_serial <= SERIALS_MAX - job.span:
        raise InvalidInput(f"span: {job.span} serials from {job.first_serial} are outside 1 to {SERIALS_MAX:,}")
    if job.codes_per_chunk < 1 or job.labels_per_roll < 1:
        raise InvalidInput("codes_per_chunk, labels_per_roll: at least 1 is accepted")
    if not _LINK_PREFIX.fullmatch(job.link_prefix):
        raise InvalidInput(f"link_prefix: {job.link_prefix!r} is not like https://id.example.com/ (it ends in a slash)")
    if job.form in IMAGE_FORMS and job.count > IMAGES_MAX:
        raise InvalidInput(f"form: {job.form} images are for up to {IMAGES_MAX:,} codes, the order has {job.count:,}")
    return job


def left_out_ranges(job: ExportJob) -> npt.NDArray[np.int64]:
    """Serials that are not written as rows of (first, count); InvalidInput when they are not what the job may have."""
    text = bytes(job.left_out)
    digits = b"" if text.translate(None, _OF_RANGES) else text.translate(None, b"[] \n")
    numbers = np.fromstring(digits, dtype=np.int64, sep=",")
    if 2 * (text.count(b"[") - 1) != len(numbers):
        raise InvalidInput("left_out: not a list of [first serial, count]")
    ranges = numbers.reshape(-1, 2)
    first, count = ranges[:, 0], ranges[:, 1]
    ends = first + count
    if (count < 1).any() or (first[1:] < ends[:-1]).any():
        raise InvalidInput("left_out: the ranges do not ascend")
    if len(ranges) and (first[0] < job.first_serial or ends[-1] > job.first_serial + job.span):
        raise InvalidInput("left_out: a range lies outside the order")
    if job.span - int(count.sum()) != job.count:
        raise InvalidInput(f"count: {job.count} does not fit {job.span} serials with {int(count.sum())} left out")
    return ranges


def save(job: ExportJob, path: Path) -> None:
    """Write the job file (mode 0600), whole or not at all."""
    write_whole(path, msgspec.json.encode(job) + b"\n")


def load(path: Path) -> ExportJob:
    """Read a job file; CorruptData when it is not one."""
    try:
        return check(msgspec.json.decode(path.read_bytes(), type=ExportJob))
    except msgspec.DecodeError as error:
        raise CorruptData(f"{path} is not a job file of an export: {error}") from error
