"""File names of one export, all in the folder of the finished file, and the lock that lets one process write them."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Generator
from pathlib import Path

from imp.errors import Busy

_JOB = ".job.json"


class Names:
    """target: the finished file. Beside it while unfinished: job file, progress file, part file (or folder)."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.job = target.with_name(target.name + _JOB)
        self.progress = target.with_name(target.name + ".progress")
        self.part = target.with_name(target.name + ".part")

    @classmethod
    def of_job(cls, job_file: Path) -> "Names":
        """Names from the path of the job file."""
        return cls(job_file.with_name(job_file.name.removesuffix(_JOB)))

    def table_part(self, chunk: int) -> Path:
        """Part file of a Parquet chunk."""
        return self.part.with_name(f"{self.part.name}-{chunk:05}")

    def remove_drafts(self) -> None:
        """Remove everything of an unfinished export; the job file last: a kill leaves a way on."""
        for path in list(self.target.parent.iterdir()):
            if path.name.startswith(self.part.name + "-"):
                path.unlink()
        if self.part.is_dir():
            shutil.rmtree(self.part)
        for path in (self.part, self.progress, self.job):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def only_writer(names: Names) -> Generator[None]:
    """Hold the export's lock; raises Busy when another process has it. The kernel drops it with the process."""
    handle = os.open(names.job, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another process is writing {names.target}") from None
        yield
    finally:
        os.close(handle)
