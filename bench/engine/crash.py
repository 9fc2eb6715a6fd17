"""Open-to-ready after SIGKILL at full load: kill a process that scans as fast as it can, and open what it left."""

import sys
import time
from pathlib import Path

import msgspec

from bench.engine.load_job import UNDER_WAY, Load
from bench.engine.reopen_job import Reopen, Reopened
from bench.engine.stock import stocked
from bench.processes import job, running, wait_until


def reopened_after_kills(path: Path, issued: int, scans: int, seconds: float, kills: int) -> list[Reopened]:
    """Times of `kills` openings; each process scans for `seconds` once its load is full, and the directory grows."""
    with stocked(path / "engine", issued) as stock:
        code = stock.cipher.encode(0).decode()
    found: list[Reopened] = []
    for number in range(kills):
        _load_and_kill(path, Load(str(path), issued, number * scans, scans), seconds)
        found.append(job("bench.engine.reopen_job", Reopen(str(path), code), Reopened))
    return found


def _load_and_kill(path: Path, load: Load, seconds: float) -> None:
    command = [sys.executable, "-m", "bench.engine.load_job", msgspec.json.encode(load).decode()]
    log = path / "load.log"
    log.unlink(missing_ok=True)
    with running(command, log) as process:
        wait_until(lambda: UNDER_WAY in log.read_bytes(), "under way", process, log)
        time.sleep(seconds)
        process.kill()
        process.wait()
