"""Data directories with codes of every kind, and real servers on them."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from served import Pool, Server, World, make_small_world, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A managed directory with a tenant, a product, codes of every kind and API keys."""
    return asyncio.run(make_world(tmp_path_factory.mktemp("world") / "imp"))


@pytest.fixture(scope="session")
def server(world: World) -> Iterator[Server]:
    """One server for all tests that only use it."""
    started = Server(world.path)
    try:
        yield started.wait_ready()
        assert started.stop() == 0
    finally:
        started.clean_up()


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Start servers that a test ends in its own way."""
    started: list[Server] = []

    def start(path: Path, **environment: str) -> Server:
        started.append(Server(path, **environment))
        return started[-1]

    yield start
    for one in started:
        one.clean_up()


@pytest.fixture(scope="session")
def small_world_made_once(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What every small world is a copy of."""
    return asyncio.run(make_small_world(tmp_path_factory.mktemp("small") / "imp"))


@pytest.fixture
def small_world(small_world_made_once: World, tmp_path: Path) -> World:
    """A directory of its own for tests that kill its server: one order of active codes."""
    made = small_world_made_once
    path = Path(shutil.copytree(made.path, tmp_path / "imp"))
    return World(path, made.keys, {"active": Pool(made.order_codes["plain"])}, made.order_codes)
