"""Goal: data of a newer version is never misread: a record of one costs its item only, a format of one the opening.

Method: change stored values with rocksdict, in another process, while the engine is closed.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from crash.faults import raw
from crash.faults.driven import TENANT, Driven, Raised

FORMAT = b"format"
UNKNOWN_VERSION = 9


def stored(path: Path, family: str, *key_and_value: bytes) -> bytes:
    """The stored value of a key; with a value it is stored, and with neither the least key is returned."""
    command = [sys.executable, raw.__file__, str(path), family, *(part.hex() for part in key_and_value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return bytes.fromhex(done.stdout)


def scan_key(key_space: int, serial: int, face: int) -> bytes:
    """Key of a scan record: key space u32, serial u40, face u8, big-endian."""
    return key_space.to_bytes(4) + serial.to_bytes(5) + face.to_bytes(1)


@pytest.fixture
def closed(tmp_path: Path) -> tuple[Path, list[str]]:
    """A closed directory in which the first three codes were scanned."""
    with Driven(tmp_path / "engine").open() as driven:
        codes = driven.found_brand(10)
        driven.scan_many(codes[:3])
        driven.close()
    return tmp_path / "engine", codes


def test_a_record_of_a_newer_version_is_answered_unrecorded_and_left_as_it_is(closed: tuple[Path, list[str]]) -> None:
    path, codes = closed
    key = scan_key(0, 1, 0)
    record = stored(path, "scan", key)
    assert record[0] == 1
    newer = bytes([UNKNOWN_VERSION]) + record[1:] + b"more"
    stored(path, "scan", key, newer)

    with Driven(path).open() as driven:
        answer = driven.scan(codes[1], "another phone")
        assert (answer["verdict"], answer["recorded"], answer["is_first"]) == ("genuine", False, None)
        assert "not_recorded" in answer["reasons"]
        with pytest.raises(Raised, match=f"IncompatibleData.*version {UNKNOWN_VERSION}"):
            driven.ask("lookup", tenant=TENANT, text=codes[1])
        assert driven.status()["ready"] is True
        assert driven.scan_many(codes[:4], "another phone")["recorded"].tolist() == [1, 0, 1, 1]
        driven.apply({"command": "void", "scope": {"codes": [codes[1]]}, "reason": "spoilt"})
        assert driven.scan(codes[1])["verdict"] == "void"
        driven.close()
    assert stored(path, "scan", key) == newer


def test_a_record_that_is_garbage_costs_its_item_only(closed: tuple[Path, list[str]]) -> None:
    path, codes = closed
    for serial, garbage in enumerate((b"", b"\x01", b"\x00" * 40)):
        stored(path, "scan", scan_key(0, serial, 0), garbage)
    with Driven(path).open() as driven:
        assert driven.scan_many(codes)["recorded"].tolist() == [0, 0, 0] + [1] * 7
        for code in codes[:3]:
            with pytest.raises(Raised, match="CorruptData"):
                driven.ask("lookup", tenant=TENANT, text=code)
        assert driven.status()["ready"] is True


def test_a_format_for_newer_writers_only_is_refused_at_opening(closed: tuple[Path, list[str]]) -> None:
    path, codes = closed
    mark = json.loads(stored(path, "meta", FORMAT))
    assert mark == {"version": 1, "oldest_reader": 1, "oldest_writer": 1}
    newer = {"version": UNKNOWN_VERSION, "oldest_reader": 2, "oldest_writer": 2}
    stored(path, "meta", FORMAT, json.dumps(newer).encode())
    with pytest.raises(Raised, match=f"IncompatibleData.*format {UNKNOWN_VERSION}"):
        Driven(path).open()
    stored(path, "meta", FORMAT, json.dumps(mark).encode())
    with Driven(path).open() as driven:
        assert driven.counts(codes)[:4] == [1, 1, 1, 0]


def test_a_newer_format_that_older_writers_may_use_opens(closed: tuple[Path, list[str]]) -> None:
    path, codes = closed
    newer = {"version": UNKNOWN_VERSION, "oldest_reader": 1, "oldest_writer": 1}
    stored(path, "meta", FORMAT, json.dumps(newer).encode())
    with Driven(path).open() as driven:
        assert driven.scan(codes[0])["recorded"] is True


def test_a_governance_row_of_a_newer_version_is_refused_at_opening(closed: tuple[Path, list[str]]) -> None:
    path, _ = closed
    with Driven(path).open() as driven:
        driven.apply({"command": "issue", "order": "p", "series": "s", "quantity": 1})
        driven.close()
    key = stored(path, "order")
    row = stored(path, "order", key)
    stored(path, "order", key, bytes([UNKNOWN_VERSION]) + row[1:])
    with pytest.raises(Raised, match="IncompatibleData"):
        Driven(path).open()
