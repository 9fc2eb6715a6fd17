"""Goal: a place that cannot be written is said clearly, at opening and while running, and keeps what it has.

Method: an engine in a child process whose small disk is remounted read-only.
"""

from pathlib import Path

import pytest
from crash.faults import room
from crash.faults.driven import SECRET, Driven, Raised


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    with capsys.disabled():
        print(f"\n  the read-only place is a {room.kind()}")
    return tmp_path / "room"


def test_opening_a_read_only_directory_is_a_clear_error_and_changes_nothing(place: Path) -> None:
    with Driven(place / "engine", room.small_room(place)) as driven:
        code = driven.open().found_brand(10)[0]
        driven.scan(code)
        driven.close()
        driven.ask("run", command=room.make_read_only(place))
        with pytest.raises(Raised, match=room.read_only_sign()) as refused:
            driven.ask("open", path=str(driven.path), secret=SECRET.hex(), options={})
        assert refused.value.kind == "StorageError"
        assert str(driven.path) in refused.value.message
        driven.ask("run", command=room.make_writable(place))
        assert driven.open().scan(code)["scans"] == 2


def test_making_an_engine_in_a_read_only_place_is_a_clear_error(place: Path) -> None:
    with Driven(place / "engine", room.small_room(place)) as driven:
        driven.ask("run", command=room.make_read_only(place))
        with pytest.raises(Raised, match=room.read_only_sign()) as refused:
            driven.ask("open", path=str(driven.path), secret=SECRET.hex(), options={"create": True})
        assert refused.value.kind == "StorageError"
        driven.ask("run", command=room.make_writable(place))
