"""Goal: a journal that ends in a torn or garbled tail opens, with everything up to what was durable and no gap.

Method: SIGKILL a process after it acknowledged commands and scans, then damage copies of what it left behind the
point up to which it had waited for the disk.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from crash.faults.driven import Driven

DURABLE = 300
SCANNED = 900


def newest_journal(engine: Path) -> Path:
    return max(engine.glob("*.log"), key=lambda path: int(path.stem))


class Killed:
    """What a killed process left: its directory, its codes, and how much of the journal was on disk for sure."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with Driven(path).open() as driven:
            self.codes = driven.found_brand(1_000)
            driven.scan_many(self.codes[:DURABLE])
            driven.apply({"command": "freeze", "scope": {"order": "o", "first": 990, "count": 10}, "reason": "leak"})
            self.durable_bytes = newest_journal(path).stat().st_size
            for code in self.codes[DURABLE:SCANNED]:
                driven.scan(code)
            driven.kill()
        self.bytes = newest_journal(path).stat().st_size
        assert self.bytes > self.durable_bytes

    def check(self, copy: Path) -> int:
        """Everything durable is there, the rest as far as it goes; the number of scans found."""
        with Driven(copy).open() as driven:
            counts = driven.counts(self.codes[:SCANNED])
            found = sum(counts)
            assert found >= DURABLE
            assert counts == [1] * found + [0] * (SCANNED - found), "a later scan without an earlier one"
            assert driven.active() == 990
            assert driven.scan(self.codes[990])["verdict"] == "frozen"
            assert driven.scan(self.codes[0], "another phone")["is_first"] is False
            assert driven.scan(self.codes[980])["is_first"] is True
            driven.apply({"command": "void", "scope": {"order": "o"}, "reason": "spoilt"})
            driven.kill()
        with Driven(copy).open() as driven:
            assert driven.active() == 0, "what is written after the repair survives the next crash"
        return found


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    return Killed(tmp_path_factory.mktemp("killed") / "engine")


def cut(count: int) -> Callable[[bytes], bytes]:
    return lambda tail: tail[: len(tail) - count]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda tail: tail,
    "last byte cut": cut(1),
    "last 300 bytes cut": cut(300),
    "all that was not durable cut": lambda _: b"",
    "last 40 bytes zero": lambda tail: tail[:-40] + bytes(40),
    "last 3,000 bytes garbled": lambda tail: tail[:-3_000] + b"\xa5" * 3_000,
    "one bit of the middle flipped": lambda tail: flipped(tail, len(tail) // 2),
    "garbage appended": lambda tail: tail + b"\xa5" * 999,
    "zeros appended": lambda tail: tail + bytes(64 << 10),
}


def flipped(tail: bytes, place: int) -> bytes:
    return tail[:place] + bytes([tail[place] ^ 1]) + tail[place + 1 :]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_end_of_the_journal_loses_nothing_durable(killed: Killed, damage: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(killed.path, tmp_path / "engine"))
    journal = newest_journal(copy)
    content = journal.read_bytes()
    damaged = DAMAGES[damage](content[killed.durable_bytes :])
    journal.write_bytes(content[: killed.durable_bytes] + damaged)
    found = killed.check(copy)
    is_whole = damage in {"nothing", "garbage appended", "zeros appended"}
    assert (found == SCANNED) == is_whole
