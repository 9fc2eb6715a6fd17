"""Goal: what is stored is what is documented, readable without our code.

Method: work an engine with every kind of scan, copy its store, read the copy through rocksdict in another process, and
decode every record, event and leaf in Python. rocksdict never sees a live directory.
"""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from engine.brand import SERIES, TENANT, Brand, open_engine
from engine.foreign_store import Families, ForeignStore
from engine.stored import Record, read_event, read_event_key, read_leaf, read_record, read_scan_key, tree_root

from imp._core import VERDICTS, ScanContext
from imp.errors import InvalidInput

START_US = 1_900_000_000_000_000
SCANS = 600
POSITIONS = ((31.2304, 121.4737, 25, "gcj02"), (-33.8688, 151.2093, 70_000, "wgs84"), None)


@pytest.fixture
def worked(tmp_path: Path) -> Generator[tuple[Brand, Counter[bytes]]]:
    """An engine after many different scans, and how many counted of each code."""
    engine = open_engine(tmp_path / "engine")
    brand = Brand(engine)
    brand.found()
    codes = [code for series in SERIES for face in brand.issue(series, series, 12).values() for code in face]
    chance, counted = random.Random(7), Counter[bytes]()
    keys: dict[bytes, bytes | None] = {}
    for number in range(SCANS):
        row = chance.randrange(len(codes))
        code = codes[row]
        key = chance.choice([None, b"key-1", b"key-2"])
        role = chance.choice(["consumer", "consumer", "consumer", "dealer"])
        context = ScanContext(
            role=role,
            channel=chance.randrange(4),
            device=chance.choice([None, *(f"d{number}".encode() for number in range(7))]),
            address=chance.choice([None, "10.0.0.1", "10.1.0.1", "2001:db8::1"]),
            user_agent=b"browser",
            position=chance.choice(POSITIONS) if row % 3 else None,
            idempotency_key=key,
            caller_at_us=chance.choice([None, 5]),
            now_us=START_US + number * 7_654_321,
        )
        assert json.loads(engine.scan(TENANT, code, context))["recorded"]
        is_replay = key is not None and keys.get(code) == key
        if role == "consumer" and not is_replay:
            counted[code] += 1
            keys[code] = key or keys.get(code)
    (code,) = brand.issue("fresh", "solo", 1)["outer"]
    assert brand.scan(code, "d0", idempotency_key=b"key-1")["is_first"]
    counted[code] += 1
    brand.must({"command": "freeze", "scope": {"order": "solo"}, "reason": "leak"})
    yield brand, counted
    engine.close()


@pytest.fixture
def families(worked: tuple[Brand, Counter[bytes]], tmp_path: Path) -> Families:
    worked[0].engine.checkpoint(str(tmp_path / "copy"))
    with ForeignStore() as foreign:
        return foreign.read(tmp_path / "copy")


def test_every_stored_record_says_what_look_ups_say(worked: tuple[Brand, Counter[bytes]], families: Families) -> None:
    brand, counted = worked
    records = {read_scan_key(key): read_record(value) for key, value in families["scan"]}
    assert len(records) == len(counted)
    assert {record.overflow for record in records.values()} == {False, True}
    assert any(record.position is None for record in records.values())
    assert {record.request[1] for record in records.values() if record.request is not None} == {True, False, None}
    for code, scans in counted.items():
        found = brand.lookup(code)
        (face,) = (face for face in found["faces"] if face["code"] == code.decode())
        record = records[found["key_space"], found["serial"], face["face"]]
        assert record.scans == scans == face["scans"]
        assert record.sessions == face["sessions"]
        assert (record.first_us, record.last_us) == (face["first_at_us"], face["last_at_us"])
        check_form(record, has_sessions=face["sessions"] > 0)


def check_form(record: Record, *, has_sessions: bool) -> None:
    """Sessions, positions and limits as the layout says."""
    assert bool(record.kept) == has_sessions
    assert len(record.kept) <= min(4, record.sessions)
    assert record.sessions > 4 or not record.overflow
    if record.kept:
        assert record.kept[0].start_s == 0, "entry 0 is the first session and stays"
    for session in record.kept:
        assert session.start_s <= (record.last_us - record.first_us) // 1_000_000
    expected = {None, *((round(p[0] * 1e7), round(p[1] * 1e7), min(p[2], 65_535), p[3]) for p in POSITIONS if p)}
    assert record.position in expected


def test_every_scan_left_one_event_that_agrees_with_its_record(
    worked: tuple[Brand, Counter[bytes]], families: Families
) -> None:
    numbers = Counter[int]()
    by_face: dict[Any, list[Any]] = {}
    for key, value in families["event"]:
        stripe, number = read_event_key(key)
        assert number == numbers[stripe], "events of a stripe have no gap"
        numbers[stripe] += 1
        event = read_event(value)
        assert VERDICTS[event.verdict] in ("genuine", "repeat")
        by_face.setdefault(event.item, []).append(event)
    for key, value in families["scan"]:
        record, events = read_record(value), by_face[read_scan_key(key)]
        consumers = sorted((event for event in events if event.role == "consumer"), key=lambda event: event.scans)
        assert [event.scans for event in consumers] == [*range(1, record.scans + 1)]
        assert sum(event.opened_session for event in consumers) == record.sessions
        assert (consumers[0].at_us, consumers[-1].at_us) == (record.first_us, record.last_us)
        assert [event.is_first for event in consumers if event.opened_session] == [True] * bool(record.kept) + [
            False
        ] * (record.sessions - bool(record.kept))


def test_every_command_left_one_leaf_of_the_tree(worked: tuple[Brand, Counter[bytes]], families: Families) -> None:
    brand, _ = worked
    leaves = [value for _, value in families["ledger"]]
    assert [read_leaf(leaf)["seq"] for leaf in leaves] == [*range(1, brand.engine.last_seq(TENANT) + 1)]
    assert read_leaf(leaves[-1])["action"] == "freeze"
    assert brand.status()["ledger_root"] == tree_root(leaves)
    assert len(families["applied"]) == len(leaves)


def test_a_copy_opens_as_an_engine_and_the_original_goes_on(
    worked: tuple[Brand, Counter[bytes]], tmp_path: Path
) -> None:
    brand, counted = worked
    brand.engine.checkpoint(str(tmp_path / "copy"))
    codes = [*counted]
    before = [brand.engine.lookup(TENANT, code) for code in codes]
    for code in codes:
        brand.scan(code, "later")
    copy = open_engine(tmp_path / "copy", create=False)
    assert [copy.lookup(TENANT, code) for code in codes] == before
    copy.close()
    with pytest.raises(InvalidInput, match="exists"):
        brand.engine.checkpoint(str(tmp_path / "copy"))


def test_another_rocksdb_may_not_open_a_directory_that_is_in_use(
    worked: tuple[Brand, Counter[bytes]], tmp_path: Path
) -> None:
    """What keeps the two apart between processes; inside one process nothing would."""
    program = "import rocksdict, sys; rocksdict.Rdict(sys.argv[1], rocksdict.Options(raw_mode=True))"
    command = [sys.executable, "-c", program, str(tmp_path / "engine")]
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "lock" in refused.stderr
