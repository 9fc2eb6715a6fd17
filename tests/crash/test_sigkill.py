"""Goal: an acknowledged answer outlives SIGKILL. Method: a process scans and applies commands with several threads
and says each answer through a pipe; the parent kills it at random moments and compares the reopened engine with
what it heard. The same directory lives through all cycles."""

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crash.driver import Drill
from crash.journal import Journal

OPEN_S_MAX = 10.0
"""Reopening takes a fraction of a second; more than this means that the journal on disk grows without bound."""
PROGRESS_CYCLES = 50
OPENING_KILLED_EVERY = 10

Lines = list[list[Any]]


def summary(drill: Drill) -> str:
    """One line of what was tried so far."""
    journal = drill.journal
    return (
        f"{drill.cycles} kills: {journal.scans:,} scans of {len(journal.items):,} codes and {len(journal.commands):,} "
        f"commands acknowledged, none lost; slowest reopening {max(drill.open_s):.2f} s"
    )


def test_every_acknowledged_scan_and_command_outlives_sigkill(
    tmp_path: Path, crash_cycles: int, capsys: pytest.CaptureFixture[str]
) -> None:
    drill = Drill(tmp_path / "engine")
    for cycle in range(1, crash_cycles + 1):
        drill.cycle()
        if cycle % OPENING_KILLED_EVERY == 0:
            drill.kill_while_opening()
        if cycle % PROGRESS_CYCLES == 0:
            with capsys.disabled():
                print(f"\n{summary(drill)}", flush=True)
    drill.check_all()
    assert drill.journal.scans > crash_cycles, summary(drill)
    assert len(drill.journal.commands) > 3 * crash_cycles, summary(drill)
    assert max(drill.open_s) < OPEN_S_MAX


def test_scans_outlive_sigkill_before_anything_was_flushed_to_disk(tmp_path: Path) -> None:
    drill = Drill(tmp_path / "engine", flush_interval_us=10_000_000, has_commands=False)
    for _ in range(3):
        drill.cycle()
    drill.check_all()
    assert drill.journal.scans > 100


def test_scans_torn_off_the_journal_on_disk_are_found_out(tmp_path: Path) -> None:
    drill = Drill(tmp_path / "engine", has_commands=False)
    drill.cycle(seconds=0.3)
    newest = max(drill.directory.rglob("*.log"), key=lambda path: path.stat().st_mtime_ns)
    os.truncate(newest, newest.stat().st_size * 3 // 4)
    with pytest.raises(AssertionError, match="scans"):
        drill.check_all()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lines, dict[str, Any]]]:
    """What one killed process said, and what the engine holds afterwards."""
    drill = Drill(tmp_path_factory.mktemp("forged") / "engine")
    with drill.process() as process:
        process.read_until("opened")
        lines = process.write_until_killed(0.3)
    drill.journal.read(lines)
    with drill.process() as process:
        process.read_until("opened")
        yield lines, process.ask(drill.journal.question())


def counted(lines: Lines) -> tuple[list[Any], list[Any]]:
    """The lines of the first counted scan that was asked for alone."""
    asked: dict[int, list[Any]] = {}
    for line in lines:
        if line[0] == "scan":
            asked[line[1]] = line
        if line[0] == "seen" and len(line[2]) == 1 and line[2][0][1]:
            return asked[line[1]], line
    raise AssertionError("the writer scanned nothing")


def one_scan_more(lines: Lines) -> None:
    lines.extend(copy.deepcopy(counted(lines)))
    lines[-1][2][0][3] += 1_000


def one_scan_fewer(lines: Lines) -> None:
    for line in counted(lines):
        lines.remove(line)


def one_number_twice(lines: Lines) -> None:
    lines.extend(copy.deepcopy(counted(lines)))


def another_device_first(lines: Lines) -> None:
    asked, seen = counted(lines)
    forged = [*asked[:2], "eve" if asked[2] != "eve" else "ann", *asked[3:]]
    lines.extend((forged, copy.deepcopy(seen)))


def first_at_another_time(lines: Lines) -> None:
    counted(lines)[1][2][0][4] += 1


def another_report(lines: Lines) -> None:
    line = next(line for line in lines if line[0] == "report")
    line[1] = line[1].replace('"epoch":1', '"epoch":7')


def one_command_more(lines: Lines) -> None:
    seq = 1 + max(line[2] for line in lines if line[0] == "command")
    report = {"status": "refused", "orders": []}
    lines.extend((["command", "forged", seq, 0, '{"command":"void"}'], ["report", json.dumps(report)]))


def one_command_fewer(lines: Lines) -> None:
    for kind in ("report", "command"):
        del lines[max(at for at, line in enumerate(lines) if line[0] == kind)]


def settled(lines: Lines) -> Lines:
    """The same lines without a command in flight at their end."""
    kinds = [line[0] for line in lines if line[0] in ("command", "report")]
    if kinds[-1] == "command":
        del lines[max(at for at, line in enumerate(lines) if line[0] == "command")]
    return lines


@pytest.mark.parametrize(
    "forge",
    [
        one_scan_more,
        one_scan_fewer,
        one_number_twice,
        another_device_first,
        first_at_another_time,
        another_report,
        one_command_more,
        one_command_fewer,
    ],
)
def test_a_forged_journal_is_found_out(killed: tuple[Lines, dict[str, Any]], forge: Callable[[Lines], None]) -> None:
    lines, facts = killed
    honest = Journal()
    honest.read(lines)
    assert honest.compare(facts) == []

    forged, lines = Journal(), copy.deepcopy(lines)
    forge(lines)
    forged.read(lines)
    assert forged.compare(facts)
