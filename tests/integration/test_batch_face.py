"""Goal: a batch job needs `imp.Engine` and nothing else.

Method: real jobs on memory, standalone, managed directories.
"""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import imp
from imp import commands as c
from imp.directory import Directory
from imp.engine import VERDICTS, Engine, kept_ranges
from imp.errors import Conflict, EngineClosed, InvalidInput, NotFound, Refused, StoreLocked, WrongSecret
from imp.settings import Settings

SECRET = bytes(range(32))


@pytest.fixture
def engine() -> Engine:
    made = Engine.in_memory(tenant="acme", secret=SECRET)
    made.domain("a.example")
    made.product("tea", "Tea", brand="Acme")
    return made


def test_a_job_issues_activates_scans_and_replaces(engine: Engine) -> None:
    with engine:
        engine.series("caps", domain="a.example")
        order = engine.issue("o1", series="caps", quantity=1_000, product="tea", lot="L1")
        assert engine.issue("o1", series="caps", quantity=1_000, product="tea", lot="L1") == order
        codes = np.frombuffer(engine.codes("o1"), dtype="S15")
        assert len(np.unique(codes)) == 1_000
        assert engine.scan(codes[0].decode()).verdict == "inactive"
        assert engine.activate(("o1", 0, 500), reason="shipped").changed == 500
        answer = engine.scan(codes[0])
        assert (answer.verdict, answer.is_first, answer.scans, answer.lot) == ("genuine", True, 1, "L1")
        rows = engine.scan_many(engine.codes("o1"))
        assert [VERDICTS[number] for number in rows["verdict"][[1, 499, 500]]] == ["genuine", "genuine", "inactive"]
        assert rows["is_first"][1:500].tolist() == [1] * 499
        hold = engine.freeze([code.decode() for code in codes[:10]], reason="leak").hold
        assert hold is not None
        assert engine.order("o1").by_state.frozen == 10
        assert engine.unfreeze(hold, reason="found", scope=[codes[0]]).changed == 1
        engine.replace([codes[20].decode()], [codes[600].decode()], reason="torn")
        assert engine.lookup(codes[20]).successor == codes[600].decode()
        assert engine.lookup(codes[600]).state == "active"
        counts = engine.order("o1").by_state
        assert (counts.active, counts.frozen, counts.void, counts.issued) == (491, 9, 1, 499)
        with pytest.raises(Conflict, match="frozen"):
            engine.codes("o1")
        assert len(engine.codes("o1", include_frozen=True)) == 999 * 15


def test_two_faces_are_told_apart(engine: Engine) -> None:
    with engine:
        engine.series("caps", domain="a.example", faces=("outer", "inner"), pairing="same_serial")
        engine.issue("o1", series="caps", quantity=10)
        with pytest.raises(InvalidInput, match="outer, inner"):
            engine.codes("o1")
        outer, inner = engine.codes("o1", face="outer"), engine.codes("o1", face="inner")
        assert outer[:15] != inner[:15]
        assert engine.lookup(outer[:15]).serial == engine.lookup(inner[:15]).serial


def test_slots_run_out_with_a_hint_and_an_alarm(engine: Engine) -> None:
    with engine:
        slots = [engine.series(f"s{n}", domain="a.example", format="digits").faces[0].slot for n in range(91)]
        assert [(a.kind, a.subject) for a in engine.status().alarms] == [("slots_low", "a.example")]
        slots += [engine.series(f"s{n}", domain="a.example", format="digits").faces[0].slot for n in range(91, 100)]
        assert sorted(slots) == list(range(100))
        assert slots != sorted(slots)  # drawn, not counted
        with pytest.raises(Conflict, match="add another scan domain"):
            engine.series("s100", domain="a.example", format="digits")


def test_a_repeated_series_with_other_content_conflicts(engine: Engine) -> None:
    with engine:
        first = engine.series("caps", domain="a.example")
        assert engine.series("caps", domain="a.example") == first
        with pytest.raises(Conflict):
            engine.series("caps", domain="a.example", key_bits=256)
        assert engine.renew("caps").epoch == first.epoch + 1
        with pytest.raises(NotFound):
            engine.renew("none")


def test_refusals_carry_their_reason(engine: Engine) -> None:
    with engine:
        with pytest.raises(Refused) as refusal:
            engine.activate("nothing", reason="x")
        assert refusal.value.reason == "unknown_order"
        with pytest.raises(InvalidInput) as wrong:
            engine.activate([], reason="x")
        assert wrong.value.field.startswith("command")


def test_tenants_of_one_directory_do_not_meet(engine: Engine) -> None:
    with engine:
        engine.series("caps", domain="a.example")
        engine.issue("o1", series="caps", quantity=10)
        code = engine.codes("o1")[:15]
        rival = engine.for_tenant("rival")
        rival.domain("rival.example")
        assert rival.scan(code).verdict == "unknown"
        assert rival.orders() == []


def test_a_standalone_directory_is_made_reopened_and_guarded(tmp_path: Path) -> None:
    path = tmp_path / "batch"
    with Engine.open(path, tenant="acme") as engine:
        engine.domain("a.example")
        engine.series("caps", domain="a.example")
        engine.issue("o1", series="caps", quantity=100)
        codes = engine.codes("o1")
        assert path.stat().st_mode & 0o777 == 0o700
        assert (path / "secret").stat().st_mode & 0o777 == 0o600
        with pytest.raises(StoreLocked, match=str(os.getpid())):
            Engine.open(path, settings=Settings(open_timeout_us=0))
    with pytest.raises(EngineClosed):
        engine.status()
    engine.close()
    with Engine.open(path, tenant="acme") as engine:
        assert engine.codes("o1") == codes
    with pytest.raises(WrongSecret):
        Engine.open(path, secret=bytes(32))
    with pytest.raises(NotFound):
        Engine.open(tmp_path / "none", create=False)


def test_a_managed_directory_keeps_database_and_engine_together(tmp_path: Path) -> None:
    path = tmp_path / "managed"
    Directory.init(path)
    with Engine.open(path, tenant="acme") as engine, pytest.raises(NotFound, match="acme"):
        engine.domain("a.example")
    for _ in range(2):  # opening again finds engine and outbox in step
        with Engine.open(path, tenant="acme") as engine:
            assert engine.status().waiting == {}


@pytest.mark.parametrize("kind", ["memory", "standalone"])
def test_an_event_id_comes_back_only_with_the_same_request(tmp_path: Path, kind: str) -> None:
    def opened() -> Engine:
        return Engine.open(tmp_path / "d") if kind == "standalone" else Engine.in_memory(secret=SECRET)

    event_id, activate = "0123456789abcdef" * 2, c.Activate(scope=c.Scope(order="o"), reason="go")
    with opened() as engine:
        engine.domain("a.example")
        engine.series("s", domain="a.example")
        engine.issue("o", series="s", quantity=10)
        report = engine.apply(activate, event_id=event_id)
        assert engine.apply(activate, event_id=event_id) == report
        for other in (c.Void(scope=c.Scope(order="o"), reason="go"), c.Activate(scope=c.Scope(order="p"), reason="go")):
            with pytest.raises(Conflict, match="another request"):
                engine.apply(other, event_id=event_id)
        assert engine.order("o").by_state.active == 10
        assert engine.for_tenant("rival").domain("b.example")
        with pytest.raises(Refused):  # another tenant's event ids are its own
            engine.for_tenant("rival").apply(activate, event_id=event_id)
    if kind == "standalone":
        with opened() as engine, pytest.raises(Conflict, match="another request"):
            engine.apply(c.Void(scope=c.Scope(order="o"), reason="go"), event_id=event_id)


def test_closing_ends_the_calls_of_other_threads(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, outcomes = threading.Event(), []

    async def never(*_: object) -> None:
        entered.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            engine.status()
        except EngineClosed as error:
            outcomes.append(error)

    monkeypatch.setattr("imp.control.read_status", never)
    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    assert entered.wait(20)
    engine.close()
    caller.join(20)
    assert len(outcomes) == 1
    engine.close()


def test_closing_lets_a_command_that_has_begun_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, outcomes = threading.Event(), threading.Event(), []
    engine = Engine.open(tmp_path / "d")
    engine.domain("a.example")
    engine.series("s", domain="a.example")
    encode = c.encode

    def slow(command: c.Command) -> bytes:
        begun.set()
        assert go_on.wait(20)
        return encode(command)

    def call() -> None:
        try:
            engine.issue("o", series="s", quantity=10)
        except EngineClosed as error:
            outcomes.append(error)

    monkeypatch.setattr("imp.governance.standalone.encode", slow)
    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    assert begun.wait(20)
    closer = threading.Thread(target=engine.close, daemon=True)
    closer.start()
    caller.join(20)
    assert len(outcomes) == 1  # told at once, while the command still runs
    go_on.set()
    closer.join(20)
    with Engine.open(tmp_path / "d") as engine:
        assert engine.order("o").quantity == 10


def test_the_environment_sets_what_a_job_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret_file = tmp_path / "elsewhere"
    secret_file.write_text(SECRET.hex())
    secret_file.chmod(0o600)
    monkeypatch.setenv("IMP_SECRET_FILE", str(secret_file))
    with Engine.open(tmp_path / "d") as engine:
        assert engine.orders() == []
    assert not (tmp_path / "d" / "secret").exists()
    with Engine.open(tmp_path / "d", secret=SECRET, settings=Settings()):
        pass
    with Engine.in_memory(secret=bytes(32)), Engine.in_memory(secret=SECRET, settings=Settings(secret_kms="a:b")):
        pass
    monkeypatch.setenv("IMP_SESION_US", "1")
    with pytest.raises(InvalidInput, match="IMP_SESION_US"):
        Engine.open(tmp_path / "d")


def test_left_out_serials_cut_an_export_into_ranges() -> None:
    with Engine.in_memory(tenant="t", secret=SECRET) as engine:
        engine.domain("a.example")
        engine.series("s", domain="a.example")
        engine.issue("o", series="s", quantity=10, word_list=0)
        engine.void(("o", 0, 1), reason="x")
        engine.void(("o", 4, 2), reason="x")
        assert kept_ranges(engine.export_plan("o")) == [(1, 3), (6, 4)]
        engine.void("o", reason="x")
        assert kept_ranges(engine.export_plan("o")) == []


def test_importing_imp_is_quick_and_light() -> None:
    script = (
        "import time; t = time.perf_counter(); import imp; t = time.perf_counter() - t\n"
        "import sys; imp.Engine; heavy = {'litestar', 'sqlalchemy', 'numpy', 'alembic'} & set(sys.modules)\n"
        "print(heavy, t < 0.5)"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert out.split() == ["set()", "True"]
    assert set(imp.__all__) <= {name for name in imp.__all__ if getattr(imp, name) is not None}
