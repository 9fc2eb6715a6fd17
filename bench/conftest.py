"""What the benchmarks by pytest share: an engine in a directory of its own, with codes to scan."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from bench.engine.scanning import device
from bench.engine.stock import Stock, stocked
from imp.engine import ScanContext

ISSUED = 1_000_000


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    """A million active codes in a fresh directory."""
    path: Path = tmp_path_factory.mktemp("bench")
    with stocked(path / "engine", ISSUED) as opened:
        yield opened


@pytest.fixture(scope="module")
def fresh_codes(stock: Stock) -> Iterator[bytes]:
    """Codes that nobody has scanned, one after the other."""
    cipher = stock.cipher
    return (cipher.encode(serial) for serial in count(0, 7))


@pytest.fixture
def phone() -> ScanContext:
    """A consumer's phone."""
    return device(1)
