"""Goal: one process owns a directory at any time, and no end of a server loses an answered scan.
Method: real servers, killed and stopped in every way, then started again on the same directory.
"""

import asyncio
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from served import HOST, START_TIMEOUT_S, TENANT, Server, World, parent_of

from imp import runfile
from imp.directory import Directory
from imp.errors import InvalidInput
from imp.results import Lookup
from imp.server import bind, refuse_second_workers
from imp.settings import Settings

GONE_S = 5.0
"""Port and store must be free this soon after a kill."""

Start = Callable[..., Server]


def wait_until(what: Callable[[], bool], timeout_s: float = GONE_S) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """No such process, or only what is left of it until its parent looks."""
    return runfile.start_ticks(pid) is None


def is_free(port: int) -> bool:
    """Does nothing listen there?"""
    try:
        bind("127.0.0.1", port).close()
    except InvalidInput:
        return False
    return True


def open_files(pid: int, below: Path) -> list[Path]:
    """Files a process holds open in a folder."""
    held = (link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir())
    return [path for path in held if path.is_relative_to(below)]


def scan(url: str, code: str) -> Any:
    """One scan, as JSON."""
    return httpx.get(f"{url}/{code}", headers={"host": HOST}, timeout=10).json()


def test_worker_dies_with_its_parent(small_world: World, start_server: Start) -> None:
    """SIGKILL to the parent alone: the worker dies, port and directory are free within seconds."""
    server = start_server(small_world.path).wait_ready()
    os.kill(server.process.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(server.run.pid))
    server.wait()
    wait_until(lambda: is_free(server.port))
    again = start_server(small_world.path, IMP_PORT=str(server.port)).wait_ready()
    assert scan(again.url, small_world.pools["active"].take())["is_first"] is True
    assert again.stop() == 0


def test_parent_ends_with_its_worker(small_world: World, start_server: Start) -> None:
    """SIGKILL to the worker alone: the parent starts no second one but ends, with a code that says so."""
    server = start_server(small_world.path).wait_ready()
    os.kill(server.run.pid, signal.SIGKILL)
    assert server.wait() == 1
    assert runfile.live(small_world.path) is None
    wait_until(lambda: is_free(server.port))
    start_server(small_world.path).wait_ready()


def test_only_the_worker_opens_the_directory(server: Server) -> None:
    """The parent holds no file of the engine; the run file names the worker."""
    assert parent_of(server.run.pid) == server.process.pid
    assert not open_files(server.process.pid, server.path)
    assert open_files(server.run.pid, server.path)


def ignores(pid: int, number: signal.Signals) -> bool:
    """Whether the kernel drops this signal when the process is sent it: no later moment can show an effect."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.partition("SigIgn:")[2].split()[0], 16) >> (number - 1) & 1)


def test_hangup_is_ignored(server: Server, world: World) -> None:
    """SIGHUP to parent and worker: the same worker goes on. Granian would start a second one."""
    for pid in (server.process.pid, server.run.pid):
        assert ignores(pid, signal.SIGHUP)
        os.kill(pid, signal.SIGHUP)
    assert scan(server.url, world.pools["active"].take())["verdict"] == "genuine"
    assert children(server.process.pid) == [server.run.pid]


class Load:
    """Clients that scan distinct codes until the server is gone; they note what was answered."""

    def __init__(self, server: Server, codes: list[str], threads: int = 8) -> None:
        self._url = server.url
        self._codes = iter(codes)
        self._lock = threading.Lock()
        self.answered: list[str] = []
        self.unsure: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def start(self) -> "Load":
        """Begin scanning; returns once the load flows."""
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.answered) > 200, 20)
        return self

    def join(self) -> None:
        """Wait for all clients to notice."""
        for thread in self._threads:
            thread.join(20)

    def _next(self) -> str | None:
        with self._lock:
            return next(self._codes, None)

    def _run(self) -> None:
        with httpx.Client(headers={"host": HOST}, timeout=10) as client:
            while (code := self._next()) is not None:
                try:
                    answer = client.get(f"{self._url}/{code}")
                except httpx.HTTPError:
                    self.unsure.append(code)
                    return
                assert answer.json()["is_first"] is True
                self.answered.append(code)


def counted(path: Path, codes: list[str]) -> list[int]:
    """Scans of each code, read from the directory itself."""

    async def read() -> list[int]:
        async with await Directory.open(path, Settings(directory=path)) as directory:
            found = (directory.engine.lookup(TENANT, code.encode()) for code in codes)
            return [sum(face.scans for face in msgspec.json.decode(one, type=Lookup).faces) for one in found]

    return asyncio.run(read())


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_no_answered_scan_is_lost(small_world: World, start_server: Start, how: str) -> None:
    """The server ends under load: every answered scan is counted once, after a drain and after a kill."""
    server = start_server(small_world.path).wait_ready()
    load = Load(server, small_world.order_codes["plain"]).start()
    if how == "SIGTERM":
        assert server.stop() == 0
    else:
        os.kill(server.process.pid, signal.SIGKILL)
        wait_until(lambda: is_gone(server.run.pid))
    load.join()
    assert counted(small_world.path, load.answered) == [1] * len(load.answered)
    assert all(scans <= 1 for scans in counted(small_world.path, load.unsure))


def children(pid: int) -> list[int]:
    """Child processes of a process that has one thread that starts any."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def holds_the_store(server: Server) -> bool:
    """Whether the server's worker has begun to open the engine."""
    try:
        return any(open_files(pid, server.path / "engine") for pid in children(server.process.pid))
    except OSError:  # a process between two of its states
        return False


MOMENTS: dict[str, Callable[[Server], object]] = {
    "begun": lambda server: server.process.pid,
    "worker": lambda server: children(server.process.pid),
    "store": holds_the_store,
    "serving": lambda server: runfile.live(server.path),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_start_up_can_be_stopped(small_world: World, start_server: Start, moment: str) -> None:
    """SIGTERM to the group at any moment of the start-up, or at its very end: over at once."""
    server = start_server(small_world.path)
    wait_until(lambda: bool(MOMENTS[moment](server)), START_TIMEOUT_S)
    os.killpg(server.process.pid, signal.SIGTERM)
    assert server.wait(GONE_S) in {0, -signal.SIGTERM}
    assert runfile.live(small_world.path) is None


def test_both_processes_may_get_the_signal(small_world: World, start_server: Start) -> None:
    """SIGTERM to the whole group, as supervisors send it: a clean end, no run file left."""
    server = start_server(small_world.path).wait_ready()
    os.killpg(server.process.pid, signal.SIGTERM)
    assert server.wait() == 0
    assert not (small_world.path / runfile.RUN_FILE).exists()
    assert is_free(server.port)


def test_second_server_names_the_owner(server: Server, world: World, start_server: Start) -> None:
    """A second server on the directory is refused at once and says who owns it and where."""
    second = start_server(world.path)
    assert second.wait() == 5
    said = second.log.read_text()
    assert f"process {server.run.pid}" in said
    assert server.run.address in said
    assert scan(server.url, world.pools["active"].take())["verdict"] == "genuine"


def test_owner_without_run_file_is_named(small_world: World, start_server: Start) -> None:
    """Without the run file the store's own lock still names pid and host, after waiting for a dying owner."""
    first = start_server(small_world.path).wait_ready()
    (small_world.path / runfile.RUN_FILE).unlink()
    second = start_server(small_world.path, IMP_OPEN_TIMEOUT_US="300000")
    assert second.wait() == 5
    said = second.log.read_text()
    assert str(first.run.pid) in said
    assert socket.gethostname() in said


def test_busy_port_is_said_before_anything_starts(small_world: World, start_server: Start) -> None:
    """One sentence names the port and what to set; the directory was not touched."""
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        server = start_server(small_world.path, IMP_PORT=str(port))
        assert server.wait() == 2
    said = [line for line in server.log.read_text().splitlines() if line.startswith("error:")]
    assert said == [line for line in said if str(port) in line and f"PORT={port + 1}" in line]
    assert len(said) == 1
    assert not (small_world.path / runfile.RUN_FILE).exists()


def test_a_port_is_never_shared(server: Server) -> None:
    """While a server lives nobody else can listen on its port, not even with SO_REUSEPORT."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", server.port))


def test_run_file_is_private(server: Server) -> None:
    """run.json is readable by its owner only; its token shows in no log line."""
    file = server.path / runfile.RUN_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(server.run.admin_token) >= 43
    assert server.run.admin_token not in repr(server.run)


def test_stale_run_file_is_recognised(small_world: World, start_server: Start) -> None:
    """After a SIGKILL the file is still there but counts as none, also when another process has its pid by now."""
    server = start_server(small_world.path).wait_ready()
    os.killpg(server.process.pid, signal.SIGKILL)
    server.wait()
    wait_until(lambda: is_gone(server.run.pid))
    assert runfile.read(small_world.path) is not None
    assert runfile.live(small_world.path) is None
    ticks = runfile.start_ticks(os.getpid())
    assert ticks is not None
    reused = runfile.RunFile(
        address=server.run.address, pid=os.getpid(), start_ticks=ticks - 1, started_at_us=0, admin_token="", version=""
    )
    runfile.write(small_world.path, reused)
    assert runfile.live(small_world.path) is None
    start_server(small_world.path).wait_ready()


def test_standalone_directory_is_not_served(tmp_path: Path, start_server: Start) -> None:
    """A directory that takes commands without SQL is refused with the way out."""
    Directory.init(tmp_path / "imp", standalone=True)
    server = start_server(tmp_path / "imp")
    assert server.wait() == 3
    assert "imp init" in server.log.read_text()


def test_wrong_secret_is_one_sentence(small_world: World, start_server: Start) -> None:
    """What stops the worker reaches the parent as what it is; no traceback."""
    server = start_server(small_world.path, IMP_SECRET="00" * 32)
    assert server.wait() == 6
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GRANIAN_RELOAD", "true"),
        ("GRANIAN_WORKERS", "2"),
        ("GRANIAN_WORKERS_LIFETIME", "3600"),
        ("GRANIAN_WORKERS_MAX_RSS", "512"),
        ("GRANIAN_RESPAWN_FAILED_WORKERS", "1"),
    ],
)
def test_second_workers_are_refused(variable: str, value: str) -> None:
    """Everything that would start a worker beside the running one is refused by name."""
    with pytest.raises(InvalidInput, match=variable):
        refuse_second_workers({variable: value})
    refuse_second_workers({variable: "", "GRANIAN_WORKERS": "1", "GRANIAN_RELOAD": "false"})


def test_missing_directory_is_one_sentence(tmp_path: Path, start_server: Start) -> None:
    """A directory that was never made is not found: exit code 4, no traceback."""
    server = start_server(tmp_path / "nothing")
    assert server.wait() == 4
    assert "Traceback" not in server.log.read_text()


def test_full_disk_poisons_and_nothing_answered_is_lost(small_world: World, start_server: Start) -> None:
    """Writes fail: scans answer unrecorded, commands and readiness 503; a restart finds all that was recorded."""
    server = start_server(small_world.path).wait_ready()
    pool, key = small_world.pools["active"], {"authorization": f"Bearer {small_world.keys['all']}"}
    recorded = [pool.take() for _ in range(20)]
    assert all(scan(server.url, code)["recorded"] for code in recorded)
    resource.prlimit(server.run.pid, resource.RLIMIT_FSIZE, (0, 0))  # every further write fails with EFBIG
    lost = pool.take()
    wait_until(lambda: scan(server.url, lost)["recorded"] is False)
    answer = scan(server.url, lost)
    assert (answer["verdict"], answer["is_first"], answer["reasons"]) == ("genuine", None, ["not_recorded"])
    ready = httpx.get(f"{server.url}/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    freeze = {"command": {"command": "freeze", "scope": {"order": "plain"}, "reason": "x"}}
    refused = httpx.post(f"{server.url}/v1/commands", json=freeze, headers=key, timeout=20)
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json"), refused.text
    os.killpg(server.process.pid, signal.SIGKILL)
    server.wait()
    wait_until(lambda: is_gone(server.run.pid))
    again = start_server(small_world.path).wait_ready()
    assert [scan(again.url, code)["scans"] for code in recorded] == [2] * len(recorded)
    assert httpx.get(f"{again.url}/readyz").status_code == 200
    assert httpx.post(f"{again.url}/v1/commands", json=freeze, headers=key, timeout=20).json()["changed"] > 0


def imp(*arguments: str) -> Any:
    """The command line in a process of its own; gives its JSON document."""
    command = [sys.executable, "-m", "imp", *arguments, "--json"]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_commands_beside_a_live_server(small_world: World, start_server: Start) -> None:
    """The same commands give the same through a live server and on the directory itself, and see each other's work."""
    at = ("--dir", str(small_world.path))
    alone = imp("order", "show", "plain", *at)
    server = start_server(small_world.path).wait_ready()
    assert imp("order", "show", "plain", *at) == alone
    code = small_world.pools["active"].take()
    assert imp("scan", code, *at)["is_first"] is True
    frozen = imp("state", "freeze", "--order", "plain", "--reason", "test", "--yes", *at)
    assert scan(server.url, code)["verdict"] == "frozen"
    assert server.stop() == 0
    assert imp("order", "show", "plain", *at)["by_state"]["frozen"] == frozen["changed"]
    known = imp("lookup", code, *at)
    assert known["faces"][0]["scans"] == 1
