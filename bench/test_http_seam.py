"""HTTP scans without a server: what crosses the seam, and what each kind of answer costs.

pytest bench/test_http_seam.py
"""

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.engine.mix import forged
from bench.engine.stock import HOST, Stock

_PHONE = [
    (b"host", HOST.encode()),
    (b"user-agent", b"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"),
    (b"accept-language", b"zh-CN,zh;q=0.9"),
]
_JSON = [*_PHONE, (b"accept", b"application/json")]
_PAGE = [*_PHONE, (b"accept", b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]


@pytest.mark.benchmark(group="http: one scan")
@pytest.mark.parametrize(
    ("headers", "expected"), [(_JSON, b'"genuine"'), (_PAGE, b"<!doctype html>")], ids=["json", "page"]
)
def test_first_scan(
    benchmark: BenchmarkFixture,
    stock: Stock,
    fresh_codes: Iterator[bytes],
    headers: list[tuple[bytes, bytes]],
    expected: bytes,
) -> None:
    http = stock.engine.http
    status, _, body = benchmark.pedantic(
        lambda path: http("GET", path, b"", headers, "192.0.2.7"),
        setup=lambda: ((b"/" + next(fresh_codes),), {}),
        rounds=3_000,
    )
    assert (status, expected in body) == (200, True)


@pytest.mark.benchmark(group="http: one scan")
def test_scan_with_cookie(benchmark: BenchmarkFixture, stock: Stock, fresh_codes: Iterator[bytes]) -> None:
    http, path = stock.engine.http, b"/" + next(fresh_codes)
    _, answered, _ = http("GET", path, b"", _JSON, "192.0.2.7")
    cookie = dict(answered)[b"set-cookie"].split(b";")[0]
    status, again, _ = benchmark(lambda: http("GET", path, b"", [*_JSON, (b"cookie", cookie)], "192.0.2.7"))
    assert (status, b"set-cookie" in dict(again)) == (200, False)


@pytest.mark.benchmark(group="http: one scan")
def test_digital_link(benchmark: BenchmarkFixture, stock: Stock, fresh_codes: Iterator[bytes]) -> None:
    path = b"/01/06901234500011/10/LJ250406/21/" + next(fresh_codes)
    status, _, body = benchmark(lambda: stock.engine.http("GET", path, b"", _JSON, "192.0.2.7"))
    assert (status, b'"genuine"' in body) == (200, True)


@pytest.mark.benchmark(group="http: no item")
def test_forged_code(benchmark: BenchmarkFixture, stock: Stock) -> None:
    path = b"/" + forged(1, seed=1)
    status, _, body = benchmark(lambda: stock.engine.http("GET", path, b"", _JSON, "192.0.2.7"))
    assert (status, b'"unknown"' in body) == (200, True)


@pytest.mark.benchmark(group="http: no item")
def test_control_plane_path(benchmark: BenchmarkFixture, stock: Stock) -> None:
    assert benchmark(lambda: stock.engine.http("GET", b"/v1/orders", b"", _JSON, "192.0.2.7")) is None
