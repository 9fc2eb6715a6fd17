"""Goal: a restore issues no code again that may be on goods, loses nothing SQL still knows, and tells the operator.

Method: the drill an operator would do, twice from one backup, with and without the database that survived.
"""

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest

from imp import commands as c
from imp.codes import SlotCipher
from imp.control import Control
from imp.directory import Directory
from imp.engine import Engine, NativeEngine
from imp.errors import Conflict, NotFound, OutOfStep, WrongSecret
from imp.governance import schemas as governance
from imp.governance.restore import restore
from imp.issuing import schemas as issuing
from imp.marker import read_marker
from imp.registry import schemas as registry
from imp.secret import make_secret_file
from imp.settings import Settings
from tests.integration.conftest import Clock, furnish

SECOND_US = 1_000_000
EVENT = "0123456789abcdef" * 2


async def issue(control: Control, order: str, quantity: int = 50) -> issuing.Issued:
    request = issuing.IssueOrder(order=order, series="caps", quantity=quantity, word_list=0)
    return await control.issue_order("acme", request)


async def codes_of(directory: Directory, order: str) -> set[bytes]:
    (_, slot, key), *_ = await directory.control.export_keys("acme", order)
    plan = await directory.control.export_plan("acme", issuing.PlanExport(order=order))
    packed = SlotCipher(plan.format, slot, key).encode_range(plan.first_serial, plan.span)
    return {packed[at : at + 15] for at in range(0, len(packed), 15)}


def ledger_of(directory: Directory) -> tuple[int, int, str]:
    """Number, leaves and root of the ledger."""
    status = json.loads(directory.engine.status())
    return status["ledger_origin"], status["ledger_leaves"], status["ledger_root"]


class Drill:
    """A directory that was backed up, issued more codes afterwards, and died."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.root = root
        self.clock = clock
        self.path = root / "live"
        self.backup = root / "backup"
        self.lost: set[bytes] = set()
        self.ledger = (0, 0, "")

    async def run(self) -> None:
        Directory.init(self.path)
        async with await Directory.open(self.path, clock=self.clock) as directory:
            await furnish(directory)
            control = directory.control
            await control.open_series("acme", registry.OpenSeries(series="caps", domain="a.example"))
            await issue(control, "before")
            self.ledger = ledger_of(directory)
            await control.backup("", governance.Backup(to=str(self.backup)))
            self.clock.now_us += 60 * SECOND_US
            await issue(control, "after")
            self.lost = await codes_of(directory, "after")
        self.clock.now_us += 60 * SECOND_US

    async def restore(self, name: str, **options: Path) -> tuple[governance.Restored, Directory]:
        restored = await restore(
            self.backup, self.root / name, secret_file=self.path / "secret", clock=self.clock, **options
        )
        return restored, await Directory.open(self.root / name, clock=self.clock)


@pytest.fixture
async def drill(tmp_path: Path, clock: Clock) -> Drill:
    made = Drill(tmp_path, clock)
    await made.run()
    return made


async def test_no_lost_code_is_issued_again_twice_from_one_backup(drill: Drill) -> None:
    issued: list[set[bytes]] = []
    for name in ("first", "second"):
        restored, directory = await drill.restore(name)
        async with directory:
            assert restored.restored_at_us - restored.backup_at_us == 120 * SECOND_US
            assert (restored.series, restored.reapplied) == (1, {})
            again = await issue(directory.control, "after")
            assert again.order.epoch == 2
            issued.append(await codes_of(directory, "after"))
            one_lost = next(iter(drill.lost)).decode()
            answer = bytes(await directory.control.scan("acme", governance.Scan(code=one_lost)))
            assert answer.startswith(b'{"verdict":"unknown"')
            old = await issue(directory.control, "before")
            assert (old.order.epoch, old.order.quantity) == (1, 50)
    assert not drill.lost & (issued[0] | issued[1])
    assert not issued[0] & issued[1]


async def test_each_copy_begins_a_ledger_of_its_own_that_names_the_old_head(drill: Drill) -> None:
    roots = {drill.ledger[2]}
    for number, name in enumerate(("first", "second"), 2):  # both at the same microsecond of the test's clock
        restored, directory = await drill.restore(name)
        async with directory:
            old = restored.old_ledger
            assert (old.origin, old.size, old.root) == drill.ledger
            origin, leaves, root = ledger_of(directory)
            assert (origin, leaves) == (drill.ledger[0] + 1, 1)
            roots.add(root)
            assert len(roots) == number  # neither passes for the original nor for the other copy
            await issue(directory.control, "after")
            assert ledger_of(directory)[:2] == (origin, 3)  # the new epoch, the order


async def test_a_ledger_of_a_copy_begins_after_what_the_surviving_database_knew(drill: Drill) -> None:
    restored, directory = await drill.restore("with-sql", sql=drill.path / "sql.sqlite3")
    async with directory:
        assert restored.old_ledger.size == drill.ledger[1] + 1
        assert ledger_of(directory)[:2] == (drill.ledger[0] + 1, 1)


async def test_a_backup_names_no_command_that_its_copy_lacks(tmp_path: Path, managed: Directory) -> None:
    class Late:
        """An engine that takes another command right after its checkpoint."""

        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def checkpoint(self, path: str) -> None:
            engine.checkpoint(path)
            engine.apply("acme", "f" * 32, engine.last_seq("acme") + 1, 1, "tester", b"{}")

    engine = managed.engine
    managed.engine = cast("NativeEngine", Late())
    done = await managed.control.backup("", governance.Backup(to=str(tmp_path / "b")))
    managed.engine = engine
    assert done.last_seqs == {"acme": engine.last_seq("acme") - 1}


async def test_what_a_surviving_database_knows_comes_back_in_its_own_epoch(drill: Drill) -> None:
    restored, directory = await drill.restore("with-sql", sql=drill.path / "sql.sqlite3")
    async with directory:
        assert restored.reapplied == {"acme": 1}
        assert await codes_of(directory, "after") == drill.lost
        assert (await issue(directory.control, "after")).order.epoch == 1
        assert (await issue(directory.control, "next")).order.epoch == 2
        assert (await issue(directory.control, "more")).order.epoch == 2


async def test_a_restore_is_alarmed_until_the_operator_accepts_the_window(drill: Drill) -> None:
    _, directory = await drill.restore("alarmed")
    async with directory:
        status = await directory.control.status("", governance.StatusRequest())
        assert [alarm.kind for alarm in status.alarms] == ["restored"]
        accepted = await directory.control.accept_restore("", governance.AcceptRestore())
        assert accepted.alarms == []
        assert read_marker(directory.path).restored == directory.marker.restored
        again = await directory.control.accept_restore("", governance.AcceptRestore())
        assert again.alarms == []
    async with await Directory.open(drill.path, clock=drill.clock) as untouched:
        with pytest.raises(Conflict):
            await untouched.control.accept_restore("", governance.AcceptRestore())


async def test_an_older_database_beside_a_newer_engine_is_refused(drill: Drill) -> None:
    (drill.path / "sql.sqlite3").write_bytes((drill.backup / "sql.sqlite3").read_bytes())
    with pytest.raises(OutOfStep, match="imp restore"):
        await Directory.open(drill.path)


async def test_a_failed_restore_leaves_nothing(drill: Drill) -> None:
    target = drill.root / "target"
    wrong = drill.root / "wrong-secret"
    make_secret_file(wrong)
    with pytest.raises(WrongSecret):
        await restore(drill.backup, target, secret_file=wrong)
    with pytest.raises(NotFound, match="--secret"):
        await restore(drill.backup, target)
    with pytest.raises(NotFound, match="not a backup"):
        await restore(drill.path, target, secret_file=wrong)
    with pytest.raises(Conflict, match="aside"):
        await restore(drill.backup, drill.path, secret_file=wrong)
    assert not [path for path in drill.root.iterdir() if "target" in path.name]


async def test_a_backup_holds_no_secret_and_never_overwrites(drill: Drill) -> None:
    secret = (drill.path / "secret").read_text().strip()
    for file in drill.backup.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert secret.encode() not in content
            assert bytes.fromhex(secret) not in content
    async with await Directory.open(drill.path) as directory:
        with pytest.raises(Conflict, match="new directory"):
            await directory.control.backup("", governance.Backup(to=str(drill.backup)))


async def test_holds_and_lifecycle_survive(tmp_path: Path, clock: Clock) -> None:
    drill = Drill(tmp_path, clock)
    Directory.init(drill.path)
    async with await Directory.open(drill.path, clock=clock) as directory:
        await furnish(directory)
        await directory.control.open_series("acme", registry.OpenSeries(series="caps", domain="a.example"))
        await issue(directory.control, "o")
        for command in (
            c.Activate(scope=c.Scope(order="o", first=0, count=20), reason="x"),
            c.Freeze(scope=c.Scope(order="o", first=10, count=20), reason="x"),
        ):
            await directory.control.apply_command("acme", governance.ApplyCommand(command=command))
        before = await directory.control.get_order("acme", issuing.GetOrder(order="o"))
        await directory.control.backup("", governance.Backup(to=str(drill.backup)))
    _, restored = await drill.restore("r")
    async with restored:
        assert await restored.control.get_order("acme", issuing.GetOrder(order="o")) == before


def test_a_standalone_directory_is_drilled_too(tmp_path: Path) -> None:
    def codes(engine: Engine, order: str) -> set[bytes]:
        packed = engine.codes(order)
        return {packed[at : at + 15] for at in range(0, len(packed), 15)}

    with Engine.open(tmp_path / "live", tenant="acme") as engine:
        engine.domain("a.example")
        engine.series("caps", domain="a.example")
        engine.issue("before", series="caps", quantity=50, word_list=0)
        activate = c.Activate(scope=c.Scope(order="before"), reason="go")
        report = engine.apply(activate, event_id=EVENT)
        engine.backup(tmp_path / "backup")
        engine.issue("after", series="caps", quantity=50, word_list=0)
        lost = codes(engine, "after")
    for name in ("first", "second"):
        restored = asyncio.run(restore(tmp_path / "backup", tmp_path / name, secret_file=tmp_path / "live" / "secret"))
        assert restored.series == 1
        with Engine.open(tmp_path / name, tenant="acme") as engine:
            assert engine.issue("after", series="caps", quantity=50, word_list=0).epoch == 2
            assert not codes(engine, "after") & lost
            assert engine.issue("more", series="caps", quantity=50, word_list=0).epoch == 2
            assert engine.issue("before", series="caps", quantity=50, word_list=0).epoch == 1
            assert engine.apply(activate, event_id=EVENT) == report
            with pytest.raises(Conflict, match="another request"):
                engine.apply(c.Void(scope=c.Scope(order="before"), reason="x"), event_id=EVENT)


async def test_the_secret_may_stay_elsewhere(drill: Drill) -> None:
    settings = Settings(secret_file=drill.path / "secret")
    await restore(drill.backup, drill.root / "r", settings, clock=drill.clock)
    assert not (drill.root / "r" / "secret").exists()
    async with await Directory.open(drill.root / "r", settings) as directory:
        assert directory.kind == "managed"
