"""Job: scans per second on one thread, of the mix and of forged codes only."""

import time
from pathlib import Path

import msgspec

from bench.engine import mix
from bench.engine.scanning import scan_all
from bench.engine.stock import stocked
from bench.processes import answer_job


class Scans(msgspec.Struct, frozen=True):
    path: str
    issued: int
    warm_up: int
    scans: int
    forged: int


class Rates(msgspec.Struct, frozen=True):
    """Scans per second; peers know the mix only. decode: deciphering the forged codes and nothing else, their limit.

    unrecorded: scans of the mix that the store pushed back.
    """

    mix: float
    forged: float = 0.0
    decode: float = 0.0
    unrecorded: int = 0


def measure(asked: Scans) -> Rates:
    """Stock, warm up, scan."""
    with stocked(Path(asked.path) / "engine", asked.issued) as stock:
        cipher = stock.cipher
        warm = mix.draw(cipher, asked.issued, asked.warm_up, touched=0, seed=1)
        mix.check(warm, scan_all(stock.engine, warm.texts, first_device=1).rows)
        drawn = mix.draw(cipher, asked.issued, asked.scans, touched=warm.touched, seed=2)
        scanned = scan_all(stock.engine, drawn.texts, first_device=1_000_000)
        unrecorded = mix.check(drawn, scanned.rows)
        invented = mix.forged(asked.forged, seed=3)
        forged = scan_all(stock.engine, invented, first_device=2_000_000)
        began = time.perf_counter()
        cipher.decode_many(invented)
        decoding = time.perf_counter() - began
    return Rates(asked.scans / scanned.seconds, asked.forged / forged.seconds, asked.forged / decoding, unrecorded)


if __name__ == "__main__":
    answer_job(Scans, measure)
