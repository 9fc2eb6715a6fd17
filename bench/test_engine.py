"""Single engine calls: scans, look-ups, batches, commands. `python -m bench engine` has the figures beside peers.

pytest bench/test_engine.py
"""

from collections.abc import Iterator
from itertools import count

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.engine import mix
from bench.engine.scanning import device
from bench.engine.stock import TENANT, Stock, order_name
from imp.commands import Freeze, Scope
from imp.engine import REASONS, VERDICTS, ScanContext
from imp.results import Answer, Lookup

_CODES = 1_000


def verdict(answer: bytes) -> str:
    """The verdict of an answer."""
    return msgspec.json.decode(answer, type=Answer).verdict


@pytest.mark.benchmark(group="engine: one call")
def test_first_scan(
    benchmark: BenchmarkFixture, stock: Stock, fresh_codes: Iterator[bytes], phone: ScanContext
) -> None:
    scan = stock.engine.scan
    answer = benchmark.pedantic(
        lambda code: scan(TENANT, code, phone), setup=lambda: ((next(fresh_codes),), {}), rounds=5_000
    )
    assert verdict(answer) == "genuine"


@pytest.mark.benchmark(group="engine: one call")
def test_repeated_scan(
    benchmark: BenchmarkFixture, stock: Stock, fresh_codes: Iterator[bytes], phone: ScanContext
) -> None:
    code, other = next(fresh_codes), device(2)
    stock.engine.scan(TENANT, code, phone)
    answer = benchmark(lambda: stock.engine.scan(TENANT, code, other))
    assert verdict(answer) == "repeat"


@pytest.mark.benchmark(group="engine: one call")
def test_forged_scan(benchmark: BenchmarkFixture, stock: Stock, phone: ScanContext) -> None:
    code = mix.forged(1, seed=1)
    answer = benchmark(lambda: stock.engine.scan(TENANT, code, phone))
    assert verdict(answer) == "unknown"


@pytest.mark.benchmark(group="engine: one call")
def test_lookup(benchmark: BenchmarkFixture, stock: Stock, fresh_codes: Iterator[bytes]) -> None:
    code = next(fresh_codes)
    found = benchmark(lambda: stock.engine.lookup(TENANT, code))
    assert msgspec.json.decode(found, type=Lookup).state == "active"


@pytest.mark.benchmark(group="engine: 1,000 codes a call")
def test_scan_many_first(
    benchmark: BenchmarkFixture, stock: Stock, fresh_codes: Iterator[bytes], phone: ScanContext
) -> None:
    def texts() -> tuple[tuple[bytes], dict[str, object]]:
        return (b"".join(next(fresh_codes) for _ in range(_CODES)),), {}

    rows = benchmark.pedantic(lambda codes: stock.engine.scan_many(TENANT, codes, phone), setup=texts, rounds=50)
    assert {VERDICTS[row[0]] for row in _rows(rows)} == {"genuine"}


@pytest.mark.benchmark(group="engine: 1,000 codes a call")
def test_scan_many_forged(benchmark: BenchmarkFixture, stock: Stock, phone: ScanContext) -> None:
    texts = mix.forged(_CODES, seed=2)
    rows = benchmark(lambda: stock.engine.scan_many(TENANT, texts, phone))
    assert {REASONS[row[3]] for row in _rows(rows)} <= {"slot_unknown", "serial_not_issued"}


@pytest.mark.benchmark(group="engine: durable")
def test_freeze_one_item(benchmark: BenchmarkFixture, stock: Stock) -> None:
    indexes = count(1, 2)

    def freeze() -> float:
        return stock.apply(Freeze(scope=Scope(order=order_name(0), first=next(indexes), count=1), reason="measured"))

    benchmark.pedantic(freeze, rounds=50)


@pytest.mark.benchmark(group="engine: durable")
def test_flush_of_one_scan(
    benchmark: BenchmarkFixture, stock: Stock, fresh_codes: Iterator[bytes], phone: ScanContext
) -> None:
    def scan_one() -> None:
        stock.engine.scan(TENANT, next(fresh_codes), phone)

    benchmark.pedantic(stock.engine.durable, setup=scan_one, rounds=50)


def _rows(packed: bytes) -> list[bytes]:
    return [packed[at : at + 16] for at in range(0, len(packed), 16)]
