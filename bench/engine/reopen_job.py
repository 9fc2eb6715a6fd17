"""Job: how long a directory takes from open to its first answered scan."""

import time
from pathlib import Path

import msgspec

from bench.engine.scanning import device
from bench.engine.stock import TENANT, opened
from bench.processes import answer_job


class Reopen(msgspec.Struct, frozen=True):
    path: str
    code: str


class Reopened(msgspec.Struct, frozen=True):
    """Seconds until ready. journal_bytes: that the open had to replay."""

    seconds: float
    journal_bytes: int


def measure(asked: Reopen) -> Reopened:
    """Open, scan once."""
    path = Path(asked.path) / "engine"
    journal_bytes = sum(file.stat().st_size for file in path.glob("*.log"))
    began = time.perf_counter()
    with opened(path) as stock:
        stock.engine.scan(TENANT, asked.code.encode(), device(9))
        return Reopened(time.perf_counter() - began, journal_bytes)


if __name__ == "__main__":
    answer_job(Reopen, measure)
