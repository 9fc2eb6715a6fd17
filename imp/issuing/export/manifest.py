"""What a finished export is: the note beside the file, and the check of one against the other."""

import hashlib
from pathlib import Path

import msgspec

from imp.errors import CorruptData, NotFound
from imp.issuing.export.job import ExportJob


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A finished export. bytes and sha256 are of the file; of a folder of images, of its names and contents in order.

    count: items, each with one code per face. left_out: void items and serials skipped by the word list.
    """

    file: str
    form: str
    tenant: str
    order: str
    series: str
    epoch: int
    format: str
    faces: tuple[str, ...]
    count: int
    left_out: int
    link_prefix: str
    bytes: int
    sha256: str
    job_sha256: str


def manifest_path(target: Path) -> Path:
    """Where the manifest of a finished export stands."""
    return target.with_name(target.name + ".manifest.json")


def of_job(job: ExportJob, target: Path, size: int, sha256: str) -> Manifest:
    """The manifest of a job's finished bytes."""
    return Manifest(
        file=target.name,
        form=job.form,
        tenant=job.tenant,
        order=job.order,
        series=job.series,
        epoch=job.epoch,
        format=job.format,
        faces=tuple(face.face for face in job.faces),
        count=job.count,
        left_out=job.span - job.count,
        link_prefix=job.link_prefix,
        bytes=size,
        sha256=sha256,
        job_sha256=job.digest(),
    )


def file_sha256(path: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def folder_sha256(folder: Path) -> tuple[int, str]:
    """Bytes of all files of a folder, and the SHA-256 of their names and contents in the order of the names."""
    size, whole = 0, hashlib.sha256()
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        size += len(data)
        whole.update(path.name.encode() + b"\0" + data)
    return size, whole.hexdigest()


def verify(target: Path) -> Manifest:
    """Check a finished export against its manifest; raises NotFound without one, CorruptData saying what differs."""
    path = manifest_path(target)
    if not target.exists() or not path.exists():
        raise NotFound(f"{target} and {path.name}: both are needed to check an export")
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise CorruptData(f"{path} is not a manifest: {error}") from error
    size, sha256 = folder_sha256(target) if target.is_dir() else file_sha256(target)
    if (size, sha256) != (manifest.bytes, manifest.sha256):
        told = f"its manifest says {manifest.bytes} bytes, {manifest.sha256}"
        raise CorruptData(f"{target} has {size} bytes with SHA-256 {sha256}; {told}")
    return manifest
