"""Goal: a directory opens for its own secret and for one process at a time, and says why not.

Method: open with other secrets; hold it open in another process.
"""

import socket
import time
from pathlib import Path

import pytest
from crash.faults.driven import SECRET, Driven, reopened

from imp.errors import NotFound, StoreLocked, WrongSecret

OPEN_TIMEOUT_US = 300_000


def test_a_wrong_master_secret_is_refused_and_the_right_one_still_opens(tmp_path: Path) -> None:
    with Driven(tmp_path / "engine").open() as driven:
        code = driven.found_brand(10)[0]
        assert driven.scan(code)["is_first"] is True
        driven.close()
    for wrong in (bytes(32), SECRET[:-1] + b"\xff", bytes(reversed(SECRET))):
        with pytest.raises(WrongSecret):
            reopened(tmp_path / "engine", wrong)
    with Driven(tmp_path / "engine").open() as driven:
        assert driven.scan(code, "another phone")["is_first"] is False


def test_a_missing_store_is_not_made_by_accident(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="engine"):
        reopened(tmp_path / "engine")
    assert not (tmp_path / "engine").exists()


def test_a_second_process_is_told_who_has_the_directory_within_the_timeout(tmp_path: Path) -> None:
    with Driven(tmp_path / "engine").open() as driven:
        code = driven.found_brand(10)[0]
        started = time.monotonic()
        with pytest.raises(StoreLocked) as refused:
            reopened(tmp_path / "engine", open_timeout_us=OPEN_TIMEOUT_US)
        waited_us = (time.monotonic() - started) * 1e6
        assert f"process {driven.process.pid} on host {socket.gethostname()}" in str(refused.value)
        assert OPEN_TIMEOUT_US <= waited_us < OPEN_TIMEOUT_US + 3_000_000
        assert driven.scan(code)["recorded"] is True
        assert driven.apply({"command": "void", "scope": {"order": "o"}, "reason": "spoilt"})["changed"] == 10


def test_a_second_opener_gets_the_directory_once_the_first_is_killed(tmp_path: Path) -> None:
    with Driven(tmp_path / "engine").open() as driven:
        code = driven.found_brand(10)[0]
        driven.scan(code)
        driven.kill()
    with Driven(tmp_path / "engine").open(open_timeout_us=OPEN_TIMEOUT_US) as driven:
        assert driven.scan(code)["scans"] == 2
