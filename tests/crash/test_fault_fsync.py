"""Goal: after one failed flush nothing further is acknowledged or shown, and reopening is clean.

Method: a library loaded into the engine's process makes every flush fail once a trigger file exists.
"""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from crash.faults import child
from crash.faults.driven import AT_US, TENANT, Driven, Raised

SOURCE = Path(child.__file__).with_name("failing_fsync.c")
POISONED_WITHIN_S = 5
VOID = {"command": "void", "scope": {"order": "o", "first": 0, "count": 5}, "reason": "spoilt"}


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "a C compiler is needed, as for the core (Debian: apt-get install gcc)"
    library = tmp_path_factory.mktemp("shim") / "failing_fsync.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


@pytest.fixture
def trigger(tmp_path: Path) -> Path:
    return tmp_path / "trigger"


def driven_with(shim: Path, trigger: Path) -> Driven:
    return Driven(trigger.with_name("engine"), LD_PRELOAD=str(shim), IMP_FAULT_TRIGGER=str(trigger))


def wait_until_poisoned(driven: Driven) -> str:
    """The cause, once the engine gives one."""
    deadline = time.monotonic() + POISONED_WITHIN_S
    while time.monotonic() < deadline:
        status = driven.status()
        if not status["ready"]:
            return status["poisoned"]
        time.sleep(0.02)
    raise AssertionError("a failed flush poisoned nothing")


def test_a_command_whose_flush_fails_is_refused_and_never_shown(shim: Path, trigger: Path) -> None:
    with driven_with(shim, trigger).open() as driven:
        codes = driven.found_brand(100)
        assert driven.scan(codes[0])["is_first"] is True
        last_seq = driven.ask("last_seq", tenant=TENANT)
        trigger.touch()
        with pytest.raises(Raised, match=r"Poisoned.*Input/output error"):
            driven.apply(VOID, "unlucky")

        assert driven.status()["ready"] is False
        assert driven.ask("last_seq", tenant=TENANT) == last_seq
        assert driven.active() == 100
        assert driven.ask("lookup", tenant=TENANT, text=codes[1])["state"] == "active"
        with pytest.raises(Raised, match="Poisoned"):
            driven.ask("applied", tenant=TENANT, event_id="unlucky")
        unrecorded = driven.scan(codes[1])
        assert (unrecorded["verdict"], unrecorded["recorded"]) == ("genuine", False)

        trigger.unlink()
        assert driven.status()["ready"] is False, "a later flush that succeeds proves nothing about the failed one"
        with pytest.raises(Raised, match="Poisoned"):
            driven.apply(VOID, "unlucky")
        assert driven.scan(codes[2])["recorded"] is False

    with Driven(trigger.with_name("engine")).open() as driven:
        # Whether the command reached the disk was unknown; asking again under its id and seq settles it.
        seq = last_seq + 1
        assert driven.ask("last_seq", tenant=TENANT) in {last_seq, seq}
        request = {"tenant": TENANT, "event_id": "unlucky", "seq": seq, "at_us": AT_US, "command": VOID}
        assert driven.ask("apply", **request)["changed"] == 5
        assert (driven.ask("last_seq", tenant=TENANT), driven.active()) == (seq, 95)
        assert driven.counts(codes)[:3] == [1, 0, 0]
        assert driven.scan(codes[50])["is_first"] is True


def test_scans_go_unrecorded_once_a_flush_failed_and_those_recorded_before_survive(shim: Path, trigger: Path) -> None:
    with driven_with(shim, trigger).open() as driven:
        codes = driven.found_brand(5_000)
        before = driven.scan_many(codes[:1_000])
        assert before["recorded"].all()
        trigger.touch()
        driven.scan_many(codes[1_000:1_001])
        assert "Input/output error" in wait_until_poisoned(driven)
        after = driven.scan_many(codes[2_000:])
        assert not after["recorded"].any()
        with pytest.raises(Raised, match="Poisoned"):
            driven.ask("durable")

    with Driven(trigger.with_name("engine")).open() as driven:
        counts = driven.counts(codes)
        assert (counts[:1_000], sum(counts[1_001:])) == ([1] * 1_000, 0)
        assert driven.scan(codes[0], "another phone")["is_first"] is False
        assert driven.scan(codes[-1])["is_first"] is True


def test_an_engine_whose_first_flush_fails_is_not_made_by_half(shim: Path, trigger: Path) -> None:
    trigger.touch()
    with driven_with(shim, trigger) as driven:
        with pytest.raises(Raised, match="Input/output error") as refused:
            driven.ask("open", path=str(driven.path), secret=bytes(32).hex(), options={"create": True})
        assert refused.value.kind == "StorageError"
    with Driven(trigger.with_name("engine")).open() as driven:
        assert driven.scan(driven.found_brand(1)[0])["is_first"] is True
