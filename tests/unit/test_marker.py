"""Goal: a data directory is told from anything else. Method: strange and half-made ones."""

from pathlib import Path

import pytest

from imp.directory import Directory
from imp.errors import Conflict, CorruptData, IncompatibleData, InvalidInput, NotFound, OutOfStep
from imp.marker import Marker, read_marker, write_marker
from imp.settings import Settings

MARKER = Marker(kind="standalone", database=None, created_at_us=1)


def test_a_marker_comes_back_as_written(tmp_path: Path) -> None:
    write_marker(tmp_path, MARKER)
    assert read_marker(tmp_path) == MARKER
    assert [path.name for path in tmp_path.iterdir()] == ["imp.json"]


def test_strange_markers_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="imp init"):
        read_marker(tmp_path / "none")
    for text, error in ((b"{", CorruptData), (b"{}", CorruptData), (b'{"version":2}', IncompatibleData)):
        (tmp_path / "imp.json").write_bytes(text)
        with pytest.raises(error):
            read_marker(tmp_path)


def test_init_takes_only_an_empty_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(Conflict):
            Directory.init(taken, standalone=True)
    (tmp_path / "empty").mkdir()
    Directory.init(tmp_path / "empty", standalone=True)
    assert read_marker(tmp_path / "empty").kind == "standalone"


def test_a_failed_init_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        Directory.init(tmp_path / "d", Settings(secret="short"))
    assert list(tmp_path.iterdir()) == []


async def test_marker_and_settings_agree_about_the_database(tmp_path: Path) -> None:
    Directory.init(tmp_path / "d")
    with pytest.raises(InvalidInput, match="own SQLite"):
        await Directory.open(tmp_path / "d", Settings(database_url="postgresql://imp@/x"))
    (tmp_path / "d" / "sql.sqlite3").rename(tmp_path / "away")
    with pytest.raises(OutOfStep, match="put it back"):
        await Directory.open(tmp_path / "d")
    assert not (tmp_path / "d" / "sql.sqlite3").exists()  # no empty one took its place
    marker = Marker(kind="managed", database="external", created_at_us=1)
    write_marker(tmp_path / "d", marker)
    with pytest.raises(InvalidInput, match="IMP_DATABASE_URL"):
        await Directory.open(tmp_path / "d")
