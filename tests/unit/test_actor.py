"""Goal: no name reaches a command that the engine would refuse. Method: the engine's own rule at its edges."""

import pwd
from types import SimpleNamespace

import pytest

from imp.actor import ACTOR_BYTES_MAX, accepted_actor, local_user
from imp.engine import EngineOptions, NativeEngine
from imp.errors import InvalidInput

ACCEPTED = ("a", "cli:root", "王", "a" * ACTOR_BYTES_MAX, "王" * (ACTOR_BYTES_MAX // 3), "a b", "\xa0")
REFUSED = ("", "a" * (ACTOR_BYTES_MAX + 1), "王" * (ACTOR_BYTES_MAX // 3 + 1), "a\n", "\x00", "\x7f", "\x85", "\ud800")


def test_accepted_are_exactly_the_names_the_engine_takes() -> None:
    engine = NativeEngine.open("", bytes(32), EngineOptions(store="memory", create=True))
    for seq, actor in enumerate(ACCEPTED, 1):
        assert accepted_actor(actor) == actor
        assert b"refused" in engine.apply("t", f"e{seq}", seq, 1, actor, b"{}")
    for actor in REFUSED:
        with pytest.raises(InvalidInput, match="128 bytes"):
            accepted_actor(actor)
        with pytest.raises((InvalidInput, UnicodeEncodeError)):
            engine.apply("t", "next", len(ACCEPTED) + 1, 1, actor, b"{}")


def test_a_user_without_a_usable_name_is_named_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody\nelse")
    monkeypatch.setattr("os.getuid", lambda: 4_711)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="packer"))
    assert local_user() == "cli:packer"
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="n" * 200))
    assert local_user() == "cli:uid:4711"

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert local_user() == "cli:uid:4711"
