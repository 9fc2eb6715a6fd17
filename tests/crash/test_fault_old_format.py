"""Goal: a directory written by any released version opens, with everything that was in it, and goes on from there.

Method: copies of the directories under tests/fixtures, each with tables and a journal of a killed process, compared
with what the version that wrote them found in them.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from crash.faults.driven import AT_US, TENANT, Driven
from crash.faults.fixture import FIXTURES, SECOND_US, found

VERSIONS = sorted(path.name for path in FIXTURES.glob("v*"))


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def copy(version: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / version / "engine", tmp_path / "engine"))


def expected(version: str) -> Any:
    return json.loads((FIXTURES / version / "expected.json").read_text("utf-8"))


def kept(old: Any, new: Any) -> Any:
    """`new` without keys that `old` does not know: later versions may say more, never something else."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: kept(old[key], value) for key, value in new.items() if key in old}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [kept(*pair) for pair in zip(old, new, strict=True)]
    return new


def test_every_order_hold_record_report_and_ledger_head_is_found(version: str, copy: Path) -> None:
    with Driven(copy).open(create=False) as driven:
        old, new = expected(version), found(driven)
        old["status"].pop("format_version")
        for part, content in old.items():
            assert kept(content, new[part]) == content, part
        driven.close()
    with Driven(copy).open(create=False) as driven:
        assert found(driven) == new, "a second opening finds the same"


def test_scans_go_on_where_they_stopped(copy: Path) -> None:
    with Driven(copy).open(create=False) as driven:
        from_tables, of_order = driven.codes("spring", "inner")[0], driven.codes("spring", "inner")
        from_journal, untouched = of_order[100], of_order[200]
        later_us = AT_US + 120 * SECOND_US
        for code in (from_tables, from_journal):
            again = driven.scan(code, "phone 0", now_us=later_us)
            assert (again["verdict"], again["is_first"], again["scans"]) == ("genuine", True, 7)
            stranger = driven.scan(code, "a stranger", now_us=later_us)
            assert (stranger["verdict"], stranger["is_first"], stranger["scans"]) == ("repeat", False, 8)
        replayed = driven.scan(of_order[1], idempotency_key="key", caller="shop", now_us=later_us)
        assert (replayed["is_first"], replayed["scans"]) == (True, 1)
        assert driven.scan(untouched)["is_first"] is True
        assert driven.scan("OLD-77-x", "a stranger")["is_first"] is False


def test_commands_go_on_where_they_stopped(copy: Path) -> None:
    with Driven(copy).open(create=False) as driven:
        before, last_seq = driven.status(), driven.ask("last_seq", tenant=TENANT)
        watermark = {space["series"]: space["issued"] for space in driven.ask("catalogue", tenant=TENANT)["key_spaces"]}
        issued = driven.apply({"command": "issue", "order": "next", "series": "pairs", "quantity": 10})
        assert issued["first_serial"] == watermark["pairs"]
        again = {"tenant": TENANT, "event_id": "leak", "seq": 1, "at_us": AT_US, "command": {"command": "whatever"}}
        assert driven.ask("apply", **again) == driven.ask("applied", tenant=TENANT, event_id="leak")
        assert driven.apply({"command": "unfreeze", "hold": "flood", "reason": "over"})["changed"] == 4
        assert driven.ask("last_seq", tenant=TENANT) == last_seq + 2
        after = driven.status()
        assert after["ledger_leaves"] == before["ledger_leaves"] + 2
        assert after["ledger_root"] != before["ledger_root"]


def test_the_format_in_force_has_its_fixture(tmp_path: Path) -> None:
    with Driven(tmp_path / "engine").open() as driven:
        assert f"v{driven.status()['format_version']}" in VERSIONS
