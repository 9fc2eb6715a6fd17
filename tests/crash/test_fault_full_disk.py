"""Goal: a full disk is said clearly, stops all writing, and costs nothing that was acknowledged.

Method: an engine in a child process whose disk is small, beside a ballast file that is removed to make room.
"""

from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from crash.faults import room
from crash.faults.driven import SECRET, TENANT, Driven, Raised, open_key_space

TEXTS = 20_000


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    with capsys.disabled():
        print(f"\n  the full disk is a {room.kind()}")
    return tmp_path / "room"


def crowd(driven: Driven, place: Path) -> list[str]:
    """Found a brand beside a ballast; its codes."""
    pieces = f"mkdir {place}/ballast && for i in 1 2 3 4 5; do head -c 1M /dev/zero > {place}/ballast/$i; done"
    driven.ask("run", command=["sh", "-c", pieces])
    return driven.open().found_brand()


def make_room(driven: Driven, place: Path) -> None:
    """Close what is poisoned, free space, open again. Closing says so if anything written is not on disk."""
    with suppress(Raised):
        driven.close()
    driven.ask("run", command=room.make_room(place / "ballast"))
    driven.open()


def test_scans_on_a_full_disk_are_answered_unrecorded_and_none_recorded_is_lost(place: Path) -> None:
    with Driven(place / "engine", room.small_room(place)) as driven:
        codes = crowd(driven, place)
        recorded = driven.scan_until_unrecorded(codes)
        assert recorded > 1_000

        later = driven.scan(codes[-1])
        assert (later["verdict"], later["recorded"], later["is_first"]) == ("genuine", False, None)
        assert "not_recorded" in later["reasons"]
        known = driven.scan(codes[0], "another phone")
        assert (known["verdict"], known["recorded"], known["scans"]) == ("repeat", False, 1)
        status = driven.status()
        assert status["ready"] is False
        assert room.full_sign() in status["poisoned"]
        with pytest.raises(Raised, match="Poisoned.*" + room.full_sign()):
            driven.apply({"command": "void", "scope": {"order": "o"}, "reason": "spoilt"})
        assert driven.active() == len(codes)

        make_room(driven, place)
        assert driven.status()["ready"] is True
        counts = driven.counts(codes)
        assert counts[:recorded] == [1] * recorded
        assert sum(counts[recorded:]) <= 1, "only the scan that met the full disk may have been half way"
        assert driven.scan(codes[-1])["is_first"] is True
        assert driven.scan(codes[0], "another phone")["is_first"] is False


def test_a_command_on_a_full_disk_fails_and_is_not_shown(place: Path) -> None:
    with Driven(place / "engine", room.small_room(place)) as driven:
        codes = crowd(driven, place)
        driven.apply(open_key_space("old", []))

        def import_for_ever() -> None:
            for part in count():
                texts = [f"OLD-{part}-{number}" for number in range(TEXTS)]
                driven.apply({"command": "import_aliases", "order": f"old{part}", "series": "old", "texts": texts})

        with pytest.raises(Raised, match=room.full_sign()) as failed:
            import_for_ever()
        assert failed.value.kind in {"StorageError", "Poisoned"}
        last_seq = driven.ask("last_seq", tenant=TENANT)
        imported = last_seq - 6
        assert imported > 0
        with pytest.raises(Raised, match="NotFound"):
            driven.ask("order", tenant=TENANT, order=f"old{imported}")
        assert driven.ask("lookup", tenant=TENANT, text=f"OLD-{imported}-1")["state"] == "unknown"
        assert driven.scan(codes[0])["recorded"] is False

        make_room(driven, place)
        assert driven.ask("last_seq", tenant=TENANT) in {last_seq, last_seq + 1}
        for part in range(imported):
            assert driven.ask("order", tenant=TENANT, order=f"old{part}")["quantity"] == TEXTS
            assert driven.ask("lookup", tenant=TENANT, text=f"OLD-{part}-{TEXTS - 1}")["order"] == f"old{part}"
        assert driven.scan(codes[0])["recorded"] is True
        driven.apply({"command": "void", "scope": {"order": "o"}, "reason": "spoilt"})


def test_a_disk_that_is_full_at_opening_is_a_clear_error_and_harms_nothing(place: Path) -> None:
    with Driven(place / "engine", room.small_room(place)) as driven:
        code = driven.open().found_brand(10)[0]
        driven.scan(code)
        driven.close()
        driven.ask("run", command=room.fill(place / "ballast"))
        with pytest.raises(Raised, match=room.full_sign()) as failed:
            driven.ask("open", path=str(driven.path), secret=SECRET.hex(), options={})
        assert failed.value.kind == "StorageError"
        driven.ask("run", command=room.make_room(place / "ballast"))
        assert driven.open().scan(code)["scans"] == 2
