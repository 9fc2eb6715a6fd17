"""Job that never ends by itself: scans at full load until it is killed, and says when it is under way."""

import sys
from pathlib import Path

import msgspec

from bench.engine import mix
from bench.engine.scanning import scan_all
from bench.engine.stock import opened

UNDER_WAY = b"under way\n"


class Load(msgspec.Struct, frozen=True):
    """under_way_after: scans until the load counts as full."""

    path: str
    issued: int
    touched: int
    under_way_after: int


def scan_for_ever(asked: Load) -> None:
    """Prepare some scans, then repeat: each pass is other devices' scans."""
    with opened(Path(asked.path) / "engine") as stock:
        drawn = mix.draw(stock.cipher, asked.issued, asked.under_way_after, touched=asked.touched, seed=asked.touched)
        passes = 0
        while True:
            scan_all(stock.engine, drawn.texts, first_device=passes * 1_000)
            if passes == 0:
                sys.stdout.buffer.write(UNDER_WAY)
                sys.stdout.buffer.flush()
            passes += 1


if __name__ == "__main__":
    scan_for_ever(msgspec.json.decode(sys.argv[1], type=Load))
