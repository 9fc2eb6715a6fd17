"""Goal: a scan means the same at every door. Method: one table of cases runs through a real server's front, through the
documented Litestar route and through the bindings, each time with codes nobody else has scanned.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import unquote

import pytest
from litestar import Litestar
from served import CASES, HOST, Answer, Server, World, exchange, make_world

from imp.app import create_app
from imp.asgi import ScanLatency
from imp.degrade import LoopLag
from imp.directory import Directory
from imp.settings import Settings

PEER = "127.0.0.1"
Door = Callable[[str, str, str, list[tuple[str, str]]], Answer | None]
"""method, raw path, query, headers → the answer; None when the control plane answers instead."""


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop on which one opened directory lives as long as the module."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def opened(
    loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, Directory]]:
    """A second world, opened in this process for route and bindings."""
    path = tmp_path_factory.mktemp("opened") / "imp"
    world = loop.run_until_complete(make_world(path))
    directory = loop.run_until_complete(Directory.open(path, Settings(directory=path)))
    yield world, directory
    loop.run_until_complete(directory.close())


@pytest.fixture(scope="module")
def route(loop: asyncio.AbstractEventLoop, opened: tuple[World, Directory]) -> Door:
    """The documented routes, without the front."""
    return route_door(loop, opened[1])


@pytest.fixture
def door(request: pytest.FixtureRequest) -> tuple[World, Door]:
    """One way in, with the world behind it."""
    if request.param == "front":
        server: Server = request.getfixturevalue("server")
        return request.getfixturevalue("world"), front_door(server)
    world, directory = request.getfixturevalue("opened")
    return world, bindings_door(directory) if request.param == "bindings" else request.getfixturevalue("route")


def front_door(server: Server) -> Door:
    """Over TCP to the real server."""

    def ask(method: str, path: str, query: str, headers: list[tuple[str, str]]) -> Answer | None:
        target = f"{path}?{query}" if query else path
        return exchange(server.port, method, target, headers)

    return ask


def bindings_door(directory: Directory) -> Door:
    """`Engine.http` called directly."""

    def ask(method: str, path: str, query: str, headers: list[tuple[str, str]]) -> Answer | None:
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
        answer = directory.engine.http(method, path.encode(), query.encode(), pairs, PEER)
        if answer is None:
            return None
        return Answer(answer[0], [(name.decode(), value.decode()) for name, value in answer[1]], answer[2])

    return ask


def route_door(loop: asyncio.AbstractEventLoop, directory: Directory) -> Door:
    """The Litestar application without the front."""
    app = create_app(never_runs, LoopLag(), ScanLatency())
    app.state.directory = directory  # its lifespan does not run here

    def ask(method: str, path: str, query: str, headers: list[tuple[str, str]]) -> Answer | None:
        return loop.run_until_complete(_call(app, method, path, query, headers))

    return ask


def never_runs(_app: Litestar) -> AbstractAsyncContextManager[None]:
    """Stands for the lifespan: the directory is open already."""
    raise AssertionError


async def _call(app: Litestar, method: str, path: str, query: str, headers: list[tuple[str, str]]) -> Answer | None:
    sent: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": (PEER, "40000"),
        "server": (PEER, "8000"),
        "state": {},
        "extensions": {},
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)  # type: ignore[arg-type]
    start = sent[0]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(start["status"], [(name.decode(), value.decode()) for name, value in start["headers"]], body)


def fill(text: str, world: World, taken: dict[str, str]) -> str:
    """Put codes in the place of names in braces; one case uses one code per kind."""

    def one(match: re.Match[str]) -> str:
        kind, _, how = match.group(1).partition(":")
        if kind == "host":
            return HOST
        if kind not in taken:
            taken[kind] = world.pools[kind].take()
        return {"": as_printed, "spelled": spelled, "escaped": escaped}[how](taken[kind])

    return re.sub(r"\{([a-z]+(?::[a-z]+)?)\}", one, text)


def as_printed(code: str) -> str:
    """The code itself."""
    return code


def spelled(code: str) -> str:
    """As people write it: lower case, groups of four, a hyphen and a space between them."""
    return f"{code[:4]}-{code[4:8]}%20{code[8:]}".lower()


def escaped(code: str) -> str:
    """Its first two characters percent-encoded."""
    return "".join(f"%{ord(letter):02X}" for letter in code[:2]) + code[2:]


def request_of(
    case: dict[str, Any], world: World, taken: dict[str, str]
) -> tuple[str, str, str, list[tuple[str, str]]]:
    """Method, path, query and headers of a case."""
    asked = case["request"]
    headers = [(name, fill(value, world, taken)) for name, value in asked.get("headers", [])]
    if not asked.get("no_host") and not any(name.lower() == "host" for name, _ in headers):
        headers.insert(0, ("Host", HOST))
    path = fill(asked["path"], world, taken)
    if "long_header" in asked:
        used = sum(len(name) + len(value) for name, value in headers) + len("x-long")
        headers.append(("x-long", "a" * (asked["long_header"] - used)))
    return asked.get("method", "GET"), path, asked.get("query", ""), headers


def check(expected: dict[str, Any], answer: Answer, world: World, taken: dict[str, str]) -> None:
    """Compare an answer with what the table expects."""
    assert answer.status == expected["status"], answer.body
    for name, value in expected.get("headers", {}).items():
        assert answer.header(name) == value, name
    for name, value in expected.get("headers_contain", {}).items():
        assert value in (answer.header(name) or ""), name
    for name in expected.get("headers_absent", []):
        assert answer.header(name) is None, name
    if "json_keys" in expected:
        assert list(answer.json()) == expected["json_keys"]
    for key, value in expected.get("json", {}).items():
        assert answer.json()[key] == (fill(value, world, taken) if isinstance(value, str) else value), key
    if "reasons" in expected:
        assert answer.json()["reasons"] == expected["reasons"]
    text = answer.body.decode("utf-8", "replace")
    assert not [part for part in expected.get("text_contains", []) if part not in text]
    assert not [part for part in expected.get("text_excludes", []) if part in text]
    if expected.get("empty"):
        assert answer.body == b""


def is_routable(asked: dict[str, Any]) -> bool:
    """Does the request get to one of the documented routes?

    Litestar decodes a path before it routes, so an encoded slash separates there, and it refuses a host that is no
    name.
    """
    if any(name == "Host" and "/" in value for name, value in asked.get("headers", [])):
        return False
    match unquote(asked["path"]).strip("/").split("/"):
        case [_] | ["01", _, "21", _] | ["01", _, "10", _, "21", _]:
            return True
        case _:
            return False


def rows() -> Iterator[Any]:
    """Every case at every door that can take it."""
    for case in CASES["cases"]:
        for door in ("front", "route", "bindings"):
            if door != "route" or is_routable(case["request"]):
                yield pytest.param(door, case, id=f"{door}: {case['name']}")


@pytest.mark.parametrize(("door", "case"), list(rows()), indirect=["door"])
def test_every_door_answers_the_table(door: tuple[World, Door], case: dict[str, Any]) -> None:
    """Status, headers and body are those of the table."""
    world, ask = door
    taken: dict[str, str] = {}
    answer = ask(*request_of(case, world, taken))
    if case["expect"].get("none"):
        assert answer is None or b'"verdict"' not in answer.body
        return
    assert answer is not None
    check(case["expect"], answer, world, taken)


@pytest.mark.parametrize("kind", ["unissued", "strange", "mistyped", "void", "recalled"])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_doors_give_the_same_bytes(kind: str, accept: str, route: Door, opened: tuple[World, Directory]) -> None:
    """An answer that depends on nothing but the code has equal bytes and headers at route and bindings."""
    world, directory = opened
    asked = ("GET", f"/{world.pools[kind].take()}", "lang=zh", [("Host", HOST), ("Accept", accept)])
    answers = [ask(*asked) for ask in (bindings_door(directory), route)]
    assert answers[0] is not None
    bodies = {answer.body for answer in answers if answer is not None}
    headers = {tuple(line for line in answer.headers if line[0] != "set-cookie") for answer in answers if answer}
    assert len(bodies) == len(headers) == 1


def test_api_scan_has_the_bytes_of_the_link(server: Server, world: World) -> None:
    """POST /v1/scans answers a code nobody issued with exactly the bytes the scanned link gets."""
    code = world.pools["unissued"].take()
    linked = exchange(server.port, "GET", f"/{code}?lang=zh", [("Host", HOST)])
    body = b'{"code":"%b","language":"zh"}' % code.encode()
    headers = [("Host", HOST), ("Authorization", f"Bearer {world.keys['all']}")]
    asked = exchange(server.port, "POST", "/v1/scans", headers, body)
    assert (asked.status, asked.body) == (200, linked.body)
