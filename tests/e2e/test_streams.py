"""Goal: an order's codes leave the server whole or visibly broken, a few at a time, by processes that know no secret.
Method: a real server, an order too large for the buffers between it and a client that does not read.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import TENANT, Server, World

from imp.issuing.streaming import STREAMS_MAX

LARGE = 1_000_000
PATH = "/v1/orders/large/codes"


@pytest.fixture
def server(small_world: World, start_server: Callable[..., Server]) -> Server:
    """A server that has its secret from the environment, as containers do."""
    return start_server(small_world.path, IMP_SECRET=(small_world.path / "secret").read_text().strip()).wait_ready()


@pytest.fixture
def client(server: Server, small_world: World) -> Iterator[httpx.Client]:
    """A client, after the large order was issued."""
    key = {"authorization": f"Bearer {small_world.keys['all']}"}
    with Patient(base_url=server.url, headers=key, timeout=30) as made:
        asked = {"order": "large", "series": "plain", "quantity": LARGE, "word_list": 0}
        assert made.post("/v1/orders", json=asked).status_code == 201
        yield made


class Patient(httpx.Client):
    """Repeats what a lagging loop put off: the machine of the tests is busy, and that is not what they ask about."""

    def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """Send until the answer is about the request itself."""
        while (answer := super().send(request, **how)).status_code == 503:
            if "busy with scans" not in answer.read().decode():
                break
            answer.close()
        return answer


def processes_of(server: Server) -> list[int]:
    """Processes of jobs that the worker started and that still run; a fork before its exec is none yet."""
    lists = (task / "children" for task in Path(f"/proc/{server.run.pid}/task").iterdir())
    started = [int(pid) for found in lists for pid in found.read_text().split()]
    return [pid for pid in started if "imp.issuing" in command_of(pid)]


def command_of(pid: int) -> str:
    """Command line of a process, nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def wait_for[T](look: Callable[[], T], timeout_s: float = 20) -> T:
    """What `look` gives once it gives something."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def settings_in(pid: int) -> list[str]:
    """Names of the settings in the environment a process was started with."""
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return [variable.partition("=")[0] for variable in variables if variable.startswith("IMP_")]


def test_a_broken_stream_is_an_incomplete_transfer(client: httpx.Client, server: Server) -> None:
    """The process that makes the rows dies: the client's transfer fails, it never looks like the whole order."""
    with client.stream("GET", PATH) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        pieces = answer.iter_raw()
        next(pieces)
        (maker,) = processes_of(server)
        os.kill(maker, signal.SIGKILL)
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            for _ in pieces:
                pass
    assert "ended with code -9" in server.log.read_text()
    assert client.get("/v1/orders/large").status_code == 200


def test_streams_are_limited(client: httpx.Client, server: Server) -> None:
    """One stream more than there are places is asked to come back; a client that leaves frees its place."""
    with ExitStack() as open_streams:
        for _ in range(STREAMS_MAX):
            assert open_streams.enter_context(client.stream("GET", PATH)).status_code == 200
        refused = client.get(PATH)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:imp:problem:busy")
        assert "retry-after" in refused.headers
        assert len(processes_of(server)) == STREAMS_MAX
    wait_for(lambda: not processes_of(server))
    assert len(client.get("/v1/orders/plain/codes").text.splitlines()) == 3_001


def test_processes_know_no_secret(client: httpx.Client, server: Server, tmp_path: Path) -> None:
    """Secret and database password are settings of the server; what it starts gets none of its settings."""
    assert "IMP_SECRET" in settings_in(server.run.pid)
    with client.stream("GET", PATH) as answer:
        assert answer.status_code == 200
        (maker,) = processes_of(server)
        assert settings_in(maker) == []
    wait_for(lambda: not processes_of(server))
    exporting = threading.Thread(target=export, args=(server, tmp_path / "large.csv"))
    exporting.start()
    (job,) = wait_for(lambda: processes_of(server))
    assert settings_in(job) == []
    exporting.join()
    assert (tmp_path / "large.csv").exists()


def export(server: Server, to: Path) -> Any:
    """An export by a job process, through the admin door."""
    return httpx.post(
        f"{server.url}/v1/admin/export",
        params={"tenant": TENANT},
        json={"order": "large", "to": str(to), "form": "csv"},
        headers={"authorization": f"Bearer {server.run.admin_token}"},
        timeout=120,
    )
