"""Job: whole HTTP scans through `Engine.http`, without a server: headers in, status, headers and body out."""

import time
from pathlib import Path

import msgspec

from bench.engine import mix
from bench.engine.stock import HOST, stocked
from bench.processes import answer_job

_HEADERS = [
    (b"host", HOST.encode()),
    (b"user-agent", b"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"),
    (b"accept-language", b"zh-CN,zh;q=0.9"),
]


class HttpCalls(msgspec.Struct, frozen=True):
    path: str
    issued: int
    calls: int


class HttpRates(msgspec.Struct, frozen=True):
    """Answers per second."""

    json: float
    page: float


def measure(asked: HttpCalls) -> HttpRates:
    """The mix as JSON, then as pages."""
    with stocked(Path(asked.path) / "engine", asked.issued) as stock:
        cipher, touched, rates = stock.cipher, 0, []
        for accept in (b"application/json", b"text/html"):
            drawn = mix.draw(cipher, asked.issued, asked.calls, touched=touched, seed=touched)
            touched = drawn.touched
            paths = [b"/" + drawn.texts[at : at + mix.CODE_BYTES] for at in range(0, len(drawn.texts), mix.CODE_BYTES)]
            headers, http = [*_HEADERS, (b"accept", accept)], stock.engine.http
            began = time.perf_counter()
            for path in paths:
                http("GET", path, b"", headers, "192.0.2.7")
            rates.append(asked.calls / (time.perf_counter() - began))
    return HttpRates(*rates)


if __name__ == "__main__":
    answer_job(HttpCalls, measure)
