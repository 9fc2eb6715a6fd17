"""A command finds the live owner of a directory, goes through it, and gives the same result as without it.

Method: one real server; the same commands beside it and without it; files and keys that do not fit.
"""

import errno
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imp import runfile
from imp.directory import Directory

START_S_MAX = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(brand: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server of the directory, ready."""
    command = [sys.executable, "-m", "imp", "serve", "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        waited_until = time.monotonic() + START_S_MAX
        while runfile.live(brand) is None and time.monotonic() < waited_until:
            assert process.poll() is None
            time.sleep(0.05)
        yield process
        process.terminate()


def test_commands_beside_a_server_answer_as_without_it(
    brand: Path, imp, codes: list[str], server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    through = _answers(imp, codes, tmp_path / "through.csv")
    for act in (("init",), ("restore", brand, "--yes")):
        refused = imp(*act, code=5)
        assert f"process {runfile.read(brand).pid}" in refused.err
    assert f"process {runfile.read(brand).pid}" in imp("doctor").out
    server.send_signal(signal.SIGTERM)
    server.wait(30)
    assert not (brand / "run.json").exists()
    assert _answers(imp, codes, tmp_path / "alone.csv") == through
    assert (tmp_path / "through.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()


def _answers(imp, codes: list[str], target: Path) -> list[tuple[int, object]]:
    """Exit codes and documents of commands that change nothing by being repeated."""
    event = "cd" * 16
    asked = (
        ("state", "activate", codes[0], "--reason", "x", "--event-id", event),
        ("order", "show", "spring"),
        ("order", "show", "nothing"),
        ("order", "show", "not an id"),
        ("state", "void", "--order", "nothing", "--reason", "x", "--yes"),
        ("state", "freeze", codes[1], "--reason", "x", "--dry-run"),
        ("lookup", codes[0]),
        ("scan", codes[0], "--no-count"),
        ("issue", "spring", "--series", "tins", "--quantity", 2),
        ("order", "list", "--tenant", "nobody"),
    )
    found = [(result.code, result.json) for result in (imp(*arguments, "--json", code=None) for arguments in asked)]
    manifest = imp("export", "spring", "--to", target, "--json").json
    return [*found, (0, (manifest["count"], manifest["sha256"]))]


def test_a_server_that_comes_up_meanwhile_is_found(
    brand: Path, imp, server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A starting server owns the store before its run.json is there: the command waits for the one or the other."""
    owner = runfile.read(brand)
    assert owner is not None
    (brand / runfile.RUN_FILE).unlink()
    open_directory = Directory.open

    async def open_then_show_the_server(*asked: Any) -> Directory:
        try:
            return await open_directory(*asked)
        finally:
            runfile.write(brand, owner)

    monkeypatch.setattr(Directory, "open", open_then_show_the_server)
    assert imp("order", "show", "spring", "--json").json["quantity"] == 1_000


def test_an_owner_that_is_no_server_is_named_in_time(
    brand: Path, imp, server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = runfile.read(brand)
    assert owner is not None
    (brand / runfile.RUN_FILE).unlink()
    monkeypatch.setenv("IMP_OPEN_TIMEOUT_US", "300000")
    assert str(owner.pid) in imp("order", "show", "spring", code=5).err


def test_many_codes_go_over_one_connection(
    imp, codes: list[str], server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    connect = http.client.HTTPConnection.connect

    def counted(connection: http.client.HTTPConnection) -> None:
        made.append(connection)
        connect(connection)

    monkeypatch.setattr(http.client.HTTPConnection, "connect", counted)
    assert len(imp("scan", *codes[:20], "--json").json) == 20
    assert len(made) == 2, "one that asks whether the server answers, one for all codes"


def test_serve_says_where_after_it_knows(brand: Path) -> None:
    """Port 0 takes a free one; what is printed is the one it took."""
    command = [sys.executable, "-m", "imp", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.terminate()
        process.stderr.read()
    assert re.search(r"http://127\.0\.0\.1:[1-9]\d*/", said), said


def test_doctor_finds_a_disk_that_refuses(brand: Path, imp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that cannot be written is a finding with a hint; the other checks go on."""
    open_file = os.open

    def refuse(path: Any, *more: Any, **others: Any) -> int:
        if Path(path).name == ".doctor":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return open_file(path, *more, **others)

    monkeypatch.setattr(os, "open", refuse)
    found = {finding["check"]: finding for finding in imp("doctor", "--json", code=6).json}
    assert found["disk flush"]["result"] == "fail"
    assert "space" in found["disk flush"]["hint"]
    assert {"packages", "clock", "server", "engine"} <= set(found)


def test_a_killed_server_leaves_a_file_that_fools_nobody(brand: Path, imp, server: subprocess.Popen[bytes]) -> None:
    owner = runfile.live(brand)
    assert owner is not None
    server.kill()  # the parent of the owner, which must follow it
    server.wait(30)
    left = imp("order", "show", "spring")
    assert "left from a server that is gone" in left.err
    assert "run.json is left" in imp("doctor").out


def test_a_process_that_is_no_server_is_not_asked_for_ever(brand: Path, imp) -> None:
    pid = os.getpid()
    ticks = runfile.start_ticks(pid)
    assert ticks is not None
    left = runfile.RunFile(
        address=f"127.0.0.1:{free_port()}",
        pid=pid,
        start_ticks=ticks,
        started_at_us=0,
        admin_token="x",
        version="0",
    )
    (brand / "run.json").write_bytes(msgspec.json.encode(left))
    assert f"process {pid}" in imp("order", "show", "spring", code=5).err


def test_another_token_is_refused(brand: Path, imp, server: subprocess.Popen[bytes]) -> None:
    owner = runfile.read(brand)
    assert owner is not None
    runfile.write(brand, msgspec.structs.replace(owner, admin_token="guessed"))
    assert imp("order", "show", "spring", "--json", code=3).json["error"] == "unauthenticated"


def test_a_directory_that_is_none_says_how_to_make_one(imp, tmp_path: Path) -> None:
    told = imp("order", "list", "--dir", tmp_path / "none", code=4)
    assert "imp init --dir" in told.err


def test_another_secret_is_refused(brand: Path, imp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMP_SECRET", "00" * 32)
    assert imp("order", "list", "--json", code=6).json["error"] == "wrong-secret"
    assert "00" * 32 not in imp("order", "list", code=6).err


def test_doctor_finds_what_is_wrong(brand: Path, imp, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {finding["result"] for finding in imp("doctor", "--json").json} <= {"ok", "warn"}
    (brand / "secret").chmod(0o644)
    found = {finding["check"]: finding for finding in imp("doctor", "--json", code=6).json}
    assert found["secret"]["result"] == "fail"
    assert found["secret"]["hint"].startswith("chmod 600")
    (brand / "secret").chmod(0o600)
    brand.chmod(0o755)
    assert "chmod 700" in imp("doctor", code=6).err
    brand.chmod(0o700)
    os.utime(brand / "imp.json", (time.time() + 3_600,) * 2)
    assert "clock" in imp("doctor", code=6).err
    assert imp("doctor", "--dir", brand / "none", "--json", code=6).json[-1]["check"] == "directory"


def test_bench_measures_in_a_folder_it_leaves_empty(imp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imp.cli import bench

    monkeypatch.setattr(bench, "CODES", 20_000)
    monkeypatch.setattr(bench, "SCANS", 2_000)
    found = imp("bench", "--dir", tmp_path, "--json").json
    assert all(measure["value"] > 0 for measure in found)
    assert {measure["durability"] for measure in found} == {"none", "wal", "durable"}
    assert not list(tmp_path.iterdir())
