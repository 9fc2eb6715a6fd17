"""The demonstration shows what it says, once and again.

Method: make it, send each of its links through the engine's HTTP door, make it again.
"""

import asyncio
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

from imp import demo
from imp.directory import Directory
from imp.settings import Settings


def gtin_check_digit(digits: str) -> int:
    """GS1 General Specifications: weights 3 and 1 from the right, up to a multiple of ten."""
    return -sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))) % 10


def test_the_demo_shows_every_verdict_it_promises_and_keeps_its_scans(imp, tmp_path: Path) -> None:
    path = tmp_path / "demo"
    links = imp("demo", "--dir", path, "--port", 8123, "--json").json
    promised = [link["verdict"] for link in links]
    assert {"genuine", "inactive", "frozen", "recalled", "void", "unknown", "mistyped"} == set(promised)
    assert all(link["link"].startswith("http://127.0.0.1:8123/") for link in links)
    answers = asyncio.run(_scanned(path, [link["link"] for link in links]))
    assert [answer["verdict"] for answer in answers] == promised
    assert imp("demo", "--dir", path, "--port", 8123, "--json").json == links, "made once"
    again = asyncio.run(_scanned(path, [links[0]["link"]]))
    assert (again[0]["scans"], again[0]["is_first"]) == (2, True), "the same session, still counted"
    orders = imp("order", "list", "--dir", path, "--json").json["orders"]
    assert sum(order["quantity"] for order in orders if order["order"] != "labels-2019") == demo.CODES == 1_000_000


async def _scanned(path: Path, links: list[str]) -> list[dict[str, object]]:
    settings = Settings(default_domain=demo.DOMAIN, cookie_secure=False)
    headers = [(b"host", b"127.0.0.1:8123"), (b"accept", b"application/json"), (b"user-agent", b"test")]
    async with await Directory.open(path, settings) as directory:
        answers = [
            directory.engine.http("GET", urlsplit(link).path.encode(), b"", headers, "127.0.0.1") for link in links
        ]
    return [json.loads(answer[2]) for answer in answers if answer]


def test_an_interrupted_demo_is_finished(imp, tmp_path: Path) -> None:
    path = tmp_path / "demo"
    asyncio.run(demo.make(path, Settings(), lambda _said: None))
    (path / demo.LINKS_FILE).unlink()
    assert len(imp("demo", "--dir", path, "--json").json) == len(demo.read_links(path))


def test_a_busy_port_is_said_before_any_work(imp, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = imp("demo", "--dir", tmp_path / "demo", "--port", port, code=2)
    assert f"PORT={port + 1}" in told.err
    assert not (tmp_path / "demo").exists()


def test_gtins_have_valid_check_digits() -> None:
    gtins = [product.gtin for product in demo._PRODUCTS]
    assert all(gtin and gtin_check_digit(gtin[:-1]) == int(gtin[-1]) for gtin in gtins)
    assert [len(gtin) for gtin in gtins if gtin] == [13, 13, 14]
