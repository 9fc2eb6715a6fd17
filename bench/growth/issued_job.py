"""Job: what one scan costs when that many codes are issued."""

import time
from pathlib import Path

import msgspec

from bench.engine import mix
from bench.engine.scanning import scan_all
from bench.engine.stock import memory, opened, stocked
from bench.processes import answer_job


class Issued(msgspec.Struct, frozen=True):
    path: str
    issued: int
    warm_up: int
    scans: int


class IssuedCost(msgspec.Struct, frozen=True):
    """scan_us: of the mix. issue_s: issuing and activating. open_s: opening it again. resident_mib: at the end."""

    scan_us: float
    issue_s: float
    open_s: float
    resident_mib: float
    unrecorded: int


def measure(asked: Issued) -> IssuedCost:
    """Issue, open again, warm up, scan."""
    path = Path(asked.path) / "engine"
    began = time.perf_counter()
    with stocked(path, asked.issued):
        issue_s = time.perf_counter() - began
    began = time.perf_counter()
    with opened(path) as stock:
        open_s = time.perf_counter() - began
        cipher = stock.cipher
        warm = mix.draw(cipher, asked.issued, asked.warm_up, touched=0, seed=1)
        scan_all(stock.engine, warm.texts, first_device=1)
        drawn = mix.draw(cipher, asked.issued, asked.scans, touched=warm.touched, seed=2)
        scanned = scan_all(stock.engine, drawn.texts, first_device=1_000_000)
        resident_mib = memory().now_mib
    unrecorded = mix.check(drawn, bytes(scanned.rows))
    return IssuedCost(scanned.seconds / asked.scans * 1e6, issue_s, open_s, resident_mib, unrecorded)


if __name__ == "__main__":
    answer_job(Issued, measure)
