"""Goal: the verbs do what they say, the same again answers the same, and nobody reaches across tenants.

Method: the real engine and a SQLite database in a fresh directory; the story on PostgreSQL too.
"""

import asyncio
import inspect
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, cast

import msgspec
import pytest

from imp import commands as c
from imp.control import VERBS, Control, dispatch
from imp.directory import Directory
from imp.engine import NativeEngine
from imp.errors import Conflict, InvalidInput, NotFound, Refused, Unauthenticated
from imp.governance import schemas as governance
from imp.issuing import schemas as issuing
from imp.registry import schemas as registry
from imp.results import Lookup
from imp.settings import Settings
from tests.integration.conftest import SECRET, Clock, furnish

EVENT = "0123456789abcdef" * 2


@pytest.fixture
def control(managed: Directory) -> Control:
    return managed.control.acting("cli:tester")


async def open_series(control: Control, series: str = "caps", **fields: object) -> registry.KeySpace:
    request = msgspec.convert({"series": series, "domain": "a.example", **fields}, registry.OpenSeries)
    return await control.open_series("acme", request)


async def issue(control: Control, order: str = "o1", quantity: int = 100, **fields: object) -> issuing.Issued:
    content = {"order": order, "series": "caps", "quantity": quantity, "product": "tea", **fields}
    return await control.issue_order("acme", msgspec.convert(content, issuing.IssueOrder))


async def test_a_story_from_tenant_to_recall(
    tmp_path: Path, clock: Clock, database_url: str, request: pytest.FixtureRequest
) -> None:
    is_external = "postgresql" in database_url
    settings = Settings(secret=SECRET, database_url=database_url if is_external else None)
    Directory.init(tmp_path / "d", settings)
    async with await Directory.open(tmp_path / "d", settings, clock=clock) as directory:
        await furnish(directory)
        control = directory.control
        await open_series(control, faces=["inner", "outer"], pairing="same_serial")
        issued = await issue(control)
        assert issued.order.by_state.issued == 100
        assert issued.odds_one_in == pytest.approx(2**60 / (100 + issued.order.skipped_serials))
        scope = c.Scope(order="o1", first=0, count=60)
        command = c.Activate(scope=scope, reason="shipped")
        preview = await control.preview_command("acme", governance.PreviewCommand(command=command))
        report = await control.apply_command("acme", governance.ApplyCommand(command=command))
        assert (preview.changed, report.changed) == (60, 60)
        recall = c.Recall(scope=c.Scope(order="o1"), reason="glass")
        report = await control.apply_command("acme", governance.ApplyCommand(command=recall))
        order = await control.get_order("acme", issuing.GetOrder(order="o1"))
        assert order.by_state.recalled == 100
        assert [hold.hold for hold in order.holds] == [report.hold]
        assert (await control.status("", governance.StatusRequest())).waiting == {}
    async with await Directory.open(tmp_path / "d", settings, clock=clock) as directory:
        assert directory.reapplied == {}
        assert (await directory.control.get_order("acme", issuing.GetOrder(order="o1"))) == order


async def test_the_same_series_again_answers_the_same_and_other_content_conflicts(control: Control) -> None:
    first = await open_series(control, faces=["outer", "inner"], pairing="same_serial")
    assert await open_series(control, faces=["inner", "outer"], pairing="same_serial") == first
    assert [face.face for face in first.faces] == ["outer", "inner"]
    with pytest.raises(Conflict, match="other content"):
        await open_series(control)


async def test_renewing_draws_fresh_slots_once_per_event_id(control: Control) -> None:
    first = await open_series(control)
    renewed = await control.renew_series("acme", registry.RenewSeries(series="caps", event_id=EVENT))
    assert await control.renew_series("acme", registry.RenewSeries(series="caps", event_id=EVENT)) == renewed
    assert renewed.epoch == first.epoch + 1
    assert renewed.faces[0].slot != first.faces[0].slot
    page = await control.list_series("acme", registry.ListSeries())
    assert [(row.series, row.epoch) for row in page.series] == [("caps", renewed.epoch)]


async def test_slots_are_never_given_out_twice(control: Control) -> None:
    slots = [(await open_series(control, f"s{number}")).faces[0].slot for number in range(6)]
    assert len(set(slots)) == 6
    domain = await control.add_domain("acme", registry.AddDomain(host="a.example"))
    assert domain.free_slots == {"base32": 1_024 - 6, "digits": 100}


async def test_the_same_order_again_answers_the_same_and_other_content_conflicts(control: Control) -> None:
    await open_series(control)
    first = await issue(control)
    assert await issue(control) == first
    with pytest.raises(Conflict, match="another order id"):
        await issue(control, quantity=101)
    assert (
        await issue(control, "o2")
    ).order.first_serial == first.order.first_serial + 100 + first.order.skipped_serials


async def test_a_refused_order_leaves_its_id_free(control: Control) -> None:
    await open_series(control)
    with pytest.raises(Refused) as refusal:
        await issue(control, product="nothing")
    assert refusal.value.reason == "unknown_product"
    assert (await control.list_orders("acme", issuing.ListOrders())).orders == []
    assert (await issue(control)).order.quantity == 100


async def test_foreign_codes_come_in_as_an_order(control: Control) -> None:
    await open_series(control, faces=[])
    request = issuing.ImportAliases(order="old", series="caps", texts=["OLD-0001", "OLD-0002"], product="tea")
    imported = await control.import_aliases("acme", request)
    assert (imported.order.quantity, imported.order.format, imported.odds_one_in) == (2, None, None)
    found = msgspec.json.decode(await control.lookup("acme", governance.LookUp(code="OLD-0002")), type=Lookup)
    assert (found.order, found.index) == ("old", 1)


async def test_an_event_id_returns_the_stored_result_also_of_a_refusal(control: Control) -> None:
    await open_series(control)
    await issue(control)
    activate = c.Activate(scope=c.Scope(order="o1"), reason="go")
    request = governance.ApplyCommand(command=activate, event_id=EVENT)
    assert await control.apply_command("acme", request) == await control.apply_command("acme", request)
    with pytest.raises(Conflict, match="another request"):
        await control.apply_command(
            "acme", msgspec.structs.replace(request, command=c.Void(scope=c.Scope(order="o1"), reason="x"))
        )
    unfreeze = governance.ApplyCommand(command=c.Unfreeze(reason="x", scope=c.Scope(order="o1")), event_id="f" * 32)
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            await control.apply_command("acme", unfreeze)
        assert refusal.value.reason == "hold_required"
        assert msgspec.json.decode(refusal.value.report)["event_id"] == "f" * 32


async def test_concurrent_commands_of_many_callers_all_apply(control: Control) -> None:
    await open_series(control)
    issued = await asyncio.gather(*(issue(control, f"o{number}", 10, word_list=0) for number in range(20)))
    assert sorted(row.order.first_serial for row in issued) == list(range(0, 200, 10))
    pages, after = [], None
    while True:
        page = await control.list_orders("acme", issuing.ListOrders(after=after, limit=7))
        pages.append([order.order for order in page.orders])
        if (after := page.next) is None:
            break
    assert [len(page) for page in pages] == [7, 7, 6]
    assert {name for page in pages for name in page} == {f"o{number}" for number in range(20)}


async def test_one_concurrent_request_for_the_same_order_wins(control: Control) -> None:
    await open_series(control)
    results = await asyncio.gather(
        *(issue(control, "same", 10 + number % 2) for number in range(6)), return_exceptions=True
    )
    answers = [result for result in results if isinstance(result, issuing.Issued)]
    assert len({answer.report.event_id for answer in answers}) == 1
    assert all(isinstance(result, (issuing.Issued, Conflict)) for result in results)
    assert len(answers) == 3


async def test_another_tenants_things_do_not_exist(managed: Directory, control: Control) -> None:
    await open_series(control)
    await issue(control)
    await furnish(managed, "rival", "rival.example")
    with pytest.raises(NotFound):
        await control.get_order("rival", issuing.GetOrder(order="o1"))
    with pytest.raises(NotFound):
        await control.renew_series("rival", registry.RenewSeries(series="caps"))
    with pytest.raises(NotFound):
        await control.open_series("rival", registry.OpenSeries(series="mine", domain="a.example"))
    with pytest.raises(NotFound):
        await control.issue_order("rival", issuing.IssueOrder(order="x", series="caps", quantity=1))
    command = c.Freeze(scope=c.Scope(order="o1"), reason="spite")
    with pytest.raises(Refused) as refusal:
        await control.apply_command("rival", governance.ApplyCommand(command=command))
    assert refusal.value.reason == "unknown_order"
    with pytest.raises(Refused) as refusal:
        await control.add_domain("rival", registry.AddDomain(host="a.example"))
    assert refusal.value.reason == "domain_taken"
    key = await control.create_key("acme", governance.CreateKey(name="k"))
    with pytest.raises(NotFound):
        await control.revoke_key("rival", governance.RevokeKey(id=key.key.id))
    assert (await control.list_keys("rival", governance.ListKeys())).keys == []


async def test_products_are_replaced_whole_and_paged(control: Control) -> None:
    for number in range(5):
        await control.put_product("acme", registry.PutProduct(product=f"p{number}", name="n", brand="b"))
    await control.put_product("acme", registry.PutProduct(product="p0", name="new"))
    assert await control.get_product("acme", registry.GetProduct(product="p0")) == registry.Product(
        product="p0", name="new"
    )
    page = await control.list_products("acme", registry.ListProducts(limit=4))
    assert ([row.product for row in page.products], page.next) == (["p0", "p1", "p2", "p3"], "p3")
    page = await control.list_products("acme", registry.ListProducts(limit=4, after=page.next))
    assert ([row.product for row in page.products], page.next) == (["p4", "tea"], None)


async def test_a_product_the_engine_would_refuse_changes_nothing(control: Control) -> None:
    with pytest.raises(Refused, match="check digit"):
        await control.put_product("acme", registry.PutProduct(product="tea", name="x", gtin="4006381333932"))
    assert (await control.get_product("acme", registry.GetProduct(product="tea"))).gtin is None


async def test_api_keys_open_until_revoked_and_are_stored_as_digests(managed: Directory, control: Control) -> None:
    made = await control.create_key("acme", governance.CreateKey(name="shop", role="dealer", scopes=("scan", "scan")))
    assert made.secret not in repr(made)
    principal = await control.authenticate(made.secret)
    assert (principal.tenant, principal.role, principal.scopes) == ("acme", "dealer", frozenset({"scan"}))
    for wrong in ("", "imp_", made.secret[:-1], made.secret + "x", made.secret.replace("imp_", "imq_")):
        with pytest.raises(Unauthenticated):
            await control.authenticate(wrong)
    stored = (managed.path / "sql.sqlite3").read_bytes() + (managed.path / "sql.sqlite3-wal").read_bytes()
    assert made.secret.rpartition("_")[2].encode() not in stored
    revoked = await control.revoke_key("acme", governance.RevokeKey(id=made.key.id))
    assert revoked == await control.revoke_key("acme", governance.RevokeKey(id=made.key.id))
    with pytest.raises(Unauthenticated):
        await control.authenticate(made.secret)
    assert (await control.list_keys("acme", governance.ListKeys())).keys == []
    assert (await control.list_keys("acme", governance.ListKeys(include_revoked=True))).keys == [revoked]


async def test_a_key_revoked_while_it_is_being_checked_is_not_remembered(
    managed: Directory, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await control.create_key("acme", governance.CreateKey(name="shop"))
    read, checked = managed.managed.keys._database.reading, asyncio.Event()

    async def revoke_meanwhile() -> None:
        await control.revoke_key("acme", governance.RevokeKey(id=made.key.id))
        checked.set()

    class Late:
        """A session whose answer arrives only after the key was revoked."""

        def __init__(self, tenant: str | None) -> None:
            self.block = read(tenant)

        async def __aenter__(self) -> Self:
            self.session = await self.block.__aenter__()
            return self

        async def __aexit__(self, *error: object) -> None:
            await self.block.__aexit__(*error)

        async def scalar(self, statement: Any) -> Any:
            row = await self.session.scalar(statement)
            await revoke_meanwhile()
            return row

    with monkeypatch.context() as patch:
        patch.setattr(managed.managed.keys._database, "reading", Late)
        await control.authenticate(made.secret)  # asked before the revocation: may still pass
    assert checked.is_set()
    with pytest.raises(Unauthenticated):
        await control.authenticate(made.secret)


async def test_api_keys_are_paged_oldest_first(control: Control, clock: Clock) -> None:
    made = []
    for number in range(5):
        clock.now_us += number % 2  # two keys of the same microsecond
        made.append((await control.create_key("acme", governance.CreateKey(name=f"k{number}"))).key)
    made.sort(key=lambda key: (key.created_at_us, key.id))
    await control.revoke_key("acme", governance.RevokeKey(id=made[1].id))
    found, after = [], None
    while True:
        page = await control.list_keys("acme", governance.ListKeys(after=after, limit=2))
        assert len(page.keys) <= 2
        found += page.keys
        if (after := page.next) is None:
            break
    assert [key.id for key in found] == [made[number].id for number in (0, 2, 3, 4)]
    with pytest.raises(NotFound):
        await control.list_keys("acme", governance.ListKeys(after="nothing"))
    with pytest.raises(InvalidInput, match="limit"):
        await control.list_keys("acme", governance.ListKeys(limit=201))


async def test_a_row_of_an_actor_nobody_checked_does_not_brick_the_directory(
    tmp_path: Path, settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Directory.init(tmp_path / "d", settings)
    async with await Directory.open(tmp_path / "d", settings, clock=clock) as directory:
        await furnish(directory)
        for actor in ("", "two\nlines", "x" * 129):
            with pytest.raises(InvalidInput, match="actor"):
                directory.control.acting(actor)
        monkeypatch.setattr("imp.governance.outbox.accepted_actor", str)
        with pytest.raises(Refused, match="control characters"):
            await open_series(Control(directory, "two\nlines"))
        await open_series(Control(directory, "tester"), "others")
    async with await Directory.open(tmp_path / "d", settings, clock=clock) as directory:
        assert directory.reapplied == {}
        assert (await open_series(directory.control)).epoch == 2


class Watched:
    """An engine that notes which of its methods are called in the event loop's thread."""

    def __init__(self, engine: NativeEngine) -> None:
        self.engine = engine
        self.in_loop: list[str] = []
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            self.called.append(name)
            if threading.current_thread() is threading.main_thread():
                self.in_loop.append(name)
            return getattr(self.engine, name)(*values, **named)

        return call


async def test_the_size_of_the_catalogue_is_nothing_to_an_order_or_a_page(managed: Directory, control: Control) -> None:
    watched = Watched(managed.engine)
    managed.engine = cast("NativeEngine", watched)
    for name in ("caps", "bottles", "cases"):
        await open_series(control, name)
    await control.renew_series("acme", registry.RenewSeries(series="bottles"))
    first = await issue(control, quantity=7)
    await issue(control, "o2", quantity=8)
    assert await issue(control, quantity=7) == first
    page = await control.list_series("acme", registry.ListSeries(limit=2))
    assert [(row.series, row.epoch, row.issued) for row in page.series][:1] == [("bottles", 2, 0)]
    rest = await control.list_series("acme", registry.ListSeries(after=page.next))
    assert [row.series for row in (*page.series, *rest.series)] == ["bottles", "caps", "cases"]
    watched.in_loop.clear()
    assert len((await control.list_orders("acme", issuing.ListOrders())).orders) == 2
    assert watched.in_loop == []
    assert not {"catalogue", "orders"} & set(watched.called)


async def test_long_lists_are_read_outside_the_event_loop(
    managed: Directory, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_series(control, faces=[])
    watched = Watched(managed.engine)
    managed.engine = cast("NativeEngine", watched)
    managed.commands._engine = watched
    in_loop: list[str] = []

    def watch(place: str) -> None:
        module, _, name = place.rpartition(".")
        original = getattr(__import__(module, fromlist=["_"]), name)

        def call(*values: Any, **named: Any) -> Any:
            if threading.current_thread() is threading.main_thread():
                in_loop.append(place)
            return original(*values, **named)

        monkeypatch.setattr(place, call)

    for place in ("imp.control._accepted", "imp.control._decoded", "imp.control.encode"):
        watch(place)
    for place in ("imp.governance.outbox.encode", "imp.governance.outbox.digest_of", "imp.issuing.service.digest_of"):
        watch(place)
    request = issuing.ImportAliases(order="old", series="caps", texts=[f"OLD-{number:06}" for number in range(9_000)])
    assert (await control.preview_import("acme", request)).changed == 9_000
    encoded = msgspec.json.encode(msgspec.structs.replace(request, event_id=EVENT))
    for _ in range(2):
        await dispatch(control, "import_aliases", "acme", encoded)
    assert (await control.import_aliases("acme", request)).order.quantity == 9_000
    assert in_loop == []
    assert not {"preview", "apply"} & set(watched.in_loop)


async def test_every_verb_runs_from_json_to_json(control: Control, tmp_path: Path) -> None:
    public = {name for name, method in vars(Control).items() if inspect.iscoroutinefunction(method) and name[0] != "_"}
    assert public - set(VERBS) == {"authenticate", "export_keys"}  # these hand out or take secrets
    assert set(VERBS) < public
    await dispatch(control, "open_series", "acme", b'{"series":"caps","domain":"a.example"}')
    issued = json.loads(await dispatch(control, "issue_order", "acme", b'{"order":"o","series":"caps","quantity":5}'))
    assert issued["order"]["by_state"]["issued"] == 5
    plan = json.loads(await dispatch(control, "export_plan", "acme", b'{"order":"o"}'))
    assert plan["count"] == 5
    scanned = json.loads(await dispatch(control, "scan", "acme", b'{"code":"nonsense"}'))
    assert scanned["verdict"] == "malformed"
    backup = json.loads(await dispatch(control, "backup", "", msgspec.json.encode({"to": str(tmp_path / "b")})))
    assert backup["last_seqs"] == {"acme": 4}
    with pytest.raises(InvalidInput, match="no such verb"):
        await dispatch(control, "drop_everything", "acme", b"{}")
    with pytest.raises(InvalidInput) as refusal:
        await dispatch(control, "issue_order", "acme", b'{"order":"o","series":"caps","quantity":20000001}')
    assert refusal.value.field == "quantity"
    with pytest.raises(InvalidInput) as refusal:
        await dispatch(control, "get_order", "a b", b'{"order":"o"}')
    assert refusal.value.field == "tenant"


async def test_requests_built_by_hand_are_checked_like_decoded_ones(control: Control) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await control.put_product("acme", registry.PutProduct(product="a/b", name="n"))
    assert refusal.value.field == "product"


async def test_a_tenant_keeps_its_name(control: Control) -> None:
    again = registry.AddTenant(tenant="acme", name="Acme")
    assert await control.add_tenant("", again) == await control.add_tenant("", again)
    with pytest.raises(Conflict):
        await control.add_tenant("", registry.AddTenant(tenant="acme", name="Other"))
    with pytest.raises(NotFound):
        await control.add_domain("nobody", registry.AddDomain(host="b.example"))
    page = await control.list_tenants("", registry.ListTenants())
    assert [row.tenant for row in page.tenants] == ["acme"]
