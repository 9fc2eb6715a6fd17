"""Goal: a directory appears whole or not at all, wherever it may be made, and one process makes it at a time.

Method: failures at each step; two threads and a foreign process at the same path; a user that owns only the directory.
"""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from imp import draft as draft_module
from imp.directory import Directory
from imp.draft import Draft
from imp.engine import Engine
from imp.errors import Conflict, NotFound, StorageError, StoreLocked
from imp.marker import read_marker

NOBODY = 65_534


def draft_of(path: Path) -> Draft:
    return Draft(path, last="imp.json", hint="name a new directory")


def names_in(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


@pytest.fixture(params=["new", "empty"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A place that is not there yet, or an empty directory such as a mounted volume."""
    path = tmp_path / "d"
    if request.param == "empty":
        path.mkdir()
    return path


def test_a_draft_appears_only_when_it_is_done(target: Path) -> None:
    def fail_late() -> None:
        with draft_of(target) as draft:
            (draft / "half").touch()
            raise RuntimeError

    before = [names_in(target.parent), names_in(target) if target.exists() else None]
    with pytest.raises(RuntimeError):
        fail_late()
    assert before == [names_in(target.parent), names_in(target) if target.exists() else None]
    with draft_of(target) as draft:
        (draft / "imp.json").touch()
        (draft / "engine").mkdir()
        (draft / "engine" / "1").touch()
        assert not (target / "imp.json").exists()
    assert names_in(target) == ["engine", "imp.json"]
    assert names_in(target.parent) == ["d"]
    assert target.stat().st_mode & 0o777 == 0o700


def test_the_deciding_file_comes_last_and_a_failed_move_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    rename = Path.rename

    def watched(self: Path, to: Path) -> Path:
        moved.append(self.name)
        if self.name == "imp.json":
            raise OSError(28, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", watched)
    with pytest.raises(StorageError, match="No space"), draft_of(tmp_path) as draft:
        [(draft / name).touch() for name in ("imp.json", "zzz", "engine")]
    assert moved[:3] == ["engine", "zzz", "imp.json"]
    assert names_in(tmp_path) == []


def test_what_a_dead_process_left_is_removed_and_nothing_else(target: Path) -> None:
    home, name = (target, "") if target.exists() else (target.parent, f".{target.name}")
    (home / f"{name}.{'0' * 16}.making").mkdir()
    (target.parent / f".d.x.{'0' * 16}.making").mkdir()  # the draft of the neighbour `d.x`
    with draft_of(target) as draft:
        (draft / "imp.json").touch()
    assert names_in(target) == ["imp.json"]
    assert names_in(target.parent) == [f".d.x.{'0' * 16}.making", "d"]


def test_a_fresh_file_system_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    with draft_of(tmp_path) as draft:
        (draft / "imp.json").touch()
    assert names_in(tmp_path) == ["imp.json", "lost+found"]


def test_what_the_file_system_refuses_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError), draft_of(tmp_path / "file" / "d"):
        pytest.fail("there is no directory to work in")
    with pytest.raises(StorageError, match="No such file"), draft_of(tmp_path / "d") as draft:
        (draft / "none" / "x").touch()
    with pytest.raises(NotFound), draft_of(tmp_path / "d"):
        raise NotFound("passes as it is")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "by others").touch()
    for taken in ("taken", "file"):
        with pytest.raises(Conflict, match="name a new directory"), draft_of(tmp_path / taken):
            pytest.fail("something is there")
    assert names_in(tmp_path) == ["file", "taken"]


def test_one_process_at_a_time_makes_a_directory(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft_module, "_TURN_WITHIN_S", 0.2)
    lock = target if target.exists() else target.with_name(".d.lock")
    descriptor = os.open(lock, os.O_RDONLY if target.exists() else os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(StoreLocked, match="another process"), draft_of(target):
        pytest.fail("somebody else is making it")
    os.close(descriptor)
    with draft_of(target) as draft:
        (draft / "imp.json").touch()


def test_of_many_inits_of_one_path_one_wins_and_the_rest_are_told(target: Path) -> None:
    outcomes: list[str] = []

    def init() -> None:
        try:
            Directory.init(target, standalone=True)
            outcomes.append("made")
        except Conflict:
            outcomes.append("taken")

    threads = [threading.Thread(target=init) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "taken", "taken", "taken"]
    assert read_marker(target).kind == "standalone"
    assert names_in(target.parent) == ["d"]
    with Engine.open(target):
        pass


def test_jobs_that_start_together_share_the_directory_one_of_them_makes(tmp_path: Path) -> None:
    hosts: list[str] = []

    def work(number: int) -> None:
        with Engine.open(tmp_path / "d") as engine:  # the others wait until it is closed
            hosts.append(engine.domain(f"d{number}.example").host)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(hosts) == ["d0.example", "d1.example", "d2.example"]


def test_the_working_directory_can_become_a_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Directory.init(Path())
    assert read_marker(tmp_path).kind == "managed"


def test_a_user_who_owns_only_the_directory_can_fill_it(tmp_path: Path) -> None:
    place = tmp_path / "lib" / "imp"
    place.mkdir(parents=True)
    user = os.geteuid()
    if user == 0:  # root may write anywhere, so somebody else does it
        for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            folder.chmod(0o755)
        os.chown(place, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    else:
        place.parent.chmod(0o555)
    try:
        with pytest.raises(StorageError, match="Permission"):
            Directory.init(place.parent / "other", standalone=True)
        Directory.init(place, standalone=True)
    finally:
        os.seteuid(user)
        place.parent.chmod(0o755)
    assert read_marker(place).kind == "standalone"
