"""Job: scans until that many codes have a record, in one process: what a scan costs then, what memory it takes."""

from pathlib import Path

import msgspec
import numpy as np

from bench.engine import mix
from bench.engine.scanning import CODES_PER_CALL, scan_all
from bench.engine.stock import Stock, memory, stocked
from bench.processes import answer_job

_CHUNK = 100_000


class Touching(msgspec.Struct, frozen=True):
    """marks: how many codes have been scanned when a scan's cost is taken, rising."""

    path: str
    issued: int
    marks: tuple[int, ...]
    scans: int


class Mark(msgspec.Struct, frozen=True):
    """touched: codes with a record when it was reached. mix_us: of a scan of the mix.

    even_us: of a repeat when every touched code is as likely as any other, the worst case for a cache.
    fill_per_s: first scans a second, and unrecorded: scans that the store pushed back, both since the mark before.
    """

    touched: int
    fill_per_s: float
    mix_us: float
    even_us: float
    resident_mib: float
    peak_mib: float
    unrecorded: int


class Touched(msgspec.Struct, frozen=True):
    """empty_mib: resident before the first scan, Python and NumPy included."""

    empty_mib: float
    marks: list[Mark]


class _Filler:
    """Scans one stock; remembers how many codes have a record and how many devices there were."""

    def __init__(self, stock: Stock, issued: int) -> None:
        self._engine, self._cipher, self._issued = stock.engine, stock.cipher, issued
        self.touched = self._devices = 0
        self.unrecorded = 0

    def scan(self, texts: bytes) -> tuple[float, bytes]:
        """Seconds and rows; every call is made by new devices."""
        scanned = scan_all(self._engine, texts, first_device=self._devices)
        self._devices += len(texts) // (mix.CODE_BYTES * CODES_PER_CALL) + 1
        return scanned.seconds, bytes(scanned.rows)

    def fill(self, touched: int) -> float:
        """First scans until that many codes have a record; returns how many a second."""
        began, seconds = self.touched, 0.0
        while self.touched < touched:
            ranks = np.arange(self.touched, min(self.touched + _CHUNK, touched))
            texts = b"".join(map(self._cipher.encode, mix.serials(ranks, self._issued)))
            took, rows = self.scan(texts)
            seconds += took
            self.touched += len(ranks)
            self.unrecorded += int((np.frombuffer(rows, dtype=mix.ROW)["recorded"] == 0).sum())
        return (touched - began) / seconds

    def mix_us(self, scans: int) -> float:
        """Of one scan of the mix."""
        drawn = mix.draw(self._cipher, self._issued, scans, touched=self.touched, seed=self.touched)
        seconds, rows = self.scan(drawn.texts)
        self.touched = drawn.touched
        self.unrecorded += mix.check(drawn, rows)
        return seconds / scans * 1e6

    def even_us(self, scans: int) -> float:
        """Of one repeat of any touched code."""
        ranks = np.random.default_rng(self.touched).integers(0, self.touched, size=scans)
        texts = b"".join(map(self._cipher.encode, mix.serials(ranks, self._issued)))
        return self.scan(texts)[0] / scans * 1e6


def measure(asked: Touching) -> Touched:
    """Fill to each mark, measure there, go on."""
    with stocked(Path(asked.path) / "engine", asked.issued) as stock:
        filler, found = _Filler(stock, asked.issued), Touched(memory().now_mib, [])
        for mark in asked.marks:
            fill_per_s = filler.fill(mark)
            mix_us, even_us = filler.mix_us(asked.scans), filler.even_us(asked.scans)
            resident = memory()
            found.marks.append(
                Mark(mark, fill_per_s, mix_us, even_us, resident.now_mib, resident.peak_mib, filler.unrecorded)
            )
            filler.unrecorded = 0
    return found


if __name__ == "__main__":
    answer_job(Touching, measure)
