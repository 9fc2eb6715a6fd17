"""Goal: a killed server is back within seconds, even one that was killed at full load.

Method: scan with two threads for some seconds, SIGKILL, time the opening up to the first answer.
"""

import time
from pathlib import Path

import pytest
from crash.faults.driven import Driven

LOAD_S = 3
READY_WITHIN_S = 10
QUANTITY = 200_000


def test_open_to_ready_after_sigkill_at_full_load_takes_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Driven(tmp_path / "engine").open() as driven:
        codes = driven.found_brand(QUANTITY)
        driven.ask("load", tenant="brand", order="o", threads=2)
        time.sleep(LOAD_S)
        scans = driven.ask("load_done")
        driven.kill()
    journal_bytes = sum(path.stat().st_size for path in (tmp_path / "engine").glob("*.log"))
    assert scans > 0
    with Driven(tmp_path / "engine") as driven:
        driven.ask("load_done")  # the process is up; from here on it is the engine's time
        started = time.monotonic()
        answer = driven.open().scan(codes[0], "another phone")
        ready_s = time.monotonic() - started
        with capsys.disabled():
            print(
                f"\n  ready {ready_s:.2f} s after SIGKILL at full load: {scans:,} scans, {journal_bytes:,} B of journal"
            )
        assert answer["is_first"] is False
        assert driven.status()["ready"] is True
    assert ready_s < READY_WITHIN_S
