"""Goal: engine on disk, engine in memory and a plain model never disagree, whatever is done in whatever order.

Method: a hypothesis state machine gives the same commands and scans to all three, reopens the one on disk, and
compares reports, answers, counts by state, holds, look-ups and sessions after every step.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engine.brand import TENANT, Brand, encode, milliseconds, open_engine
from engine.model import Device, Model
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from imp._core import ScanContext
from imp.errors import Conflict

START_US = 4_000_000_000_000_000
SECOND_US = 1_000_000
# When orders and look-ups tell the state: the machine's clock, which is always before the test's.
TODAY_US = 2_000_000_000_000_000
LONG_PAST_US = 1_000_000
ORDERS_MAX = 7
UNKNOWN_CODE = "0000000000000"

# The same phone in two networks, two phones in one network, browsers without cookies, and nothing known at all.
DEVICES = (
    Device("phone-a", "10.0.0.1"),
    Device("phone-a", "10.9.0.1"),
    Device("phone-b", "10.0.0.7"),
    Device("phone-c", None),
    Device(None, "10.0.0.9"),
    Device(None, "10.9.0.3"),
    Device(None, None),
)
# A phone that moves into the network of a browser without cookies: its cookie says more than its address.
ROAMING = (DEVICES[4], DEVICES[1], DEVICES[0])

indexes = st.integers(0, 999)
order_scopes = st.builds(lambda order: {"order": order}, indexes)
range_scopes = st.builds(
    lambda order, first, count: {"order": order, "first": first, "count": count},
    indexes,
    st.integers(0, 5),
    st.integers(1, 4),
)
list_scopes = st.builds(lambda codes: {"codes": codes}, st.lists(indexes, min_size=1, max_size=4))
scopes = st.one_of(order_scopes, range_scopes, range_scopes, list_scopes, list_scopes)
seconds = st.sampled_from([1, 2, 30, 300, 599, 600, 601, 3_600])
# One command in eight names something that does not exist.
rarely = st.integers(0, 7).map(lambda number: number == 7)


@dataclass(frozen=True)
class Visit:
    """One scan: who, and how."""

    device: Device
    role: str
    key: str | None
    count: bool
    back_s: int
    wait_s: int


visits = st.builds(
    Visit,
    device=st.sampled_from(DEVICES) | st.sampled_from(ROAMING),
    role=st.sampled_from(["consumer"] * 6 + ["dealer", "inspector"]),
    key=st.sampled_from([None, None, "key-1", "key-2"]),
    count=st.sampled_from([True, True, True, True, False]),
    back_s=st.sampled_from([0, 0, 0, 3]),
    wait_s=st.sampled_from([0, 0, 0, 1, 30, 599, 600]),
)


class EngineMachine(RuleBasedStateMachine):
    """Indexes are drawn large and taken modulo what there is, so that examples shrink well."""

    @initialize()
    def found(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="imp-machine-"))
        self.on_disk = Brand(open_engine(self.folder / "engine"))
        self.in_memory = Brand(open_engine(self.folder, store="memory"))
        self.model = Model()
        self.now_us = START_US
        self.steps = 0
        self.reports: dict[str, bytes] = {}
        self.holds: list[str] = []
        for brand in (self.on_disk, self.in_memory):
            brand.found(at_us=self.now_us)
        for series, level in (("pair", "item"), ("solo", "item"), ("case", "case")):
            self.model.apply({"command": "open_key_space", "series": series, "level": level}, "", 0)
        self.model.products = {"tea", "oil"}
        for number, series in enumerate(("pair", "solo", "case", "pair")):
            self.apply({"command": "issue", "order": f"o{number}", "series": series, "product": "tea", "quantity": 4})
        for name in ("o0", "o1", "o2"):
            self.apply({"command": "activate", "scope": {"order": name, "first": 0, "count": 3}, "reason": "released"})

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.compare_items()
            self.on_disk.engine.close()
            self.in_memory.engine.close()
            shutil.rmtree(self.folder)

    # what is named ------------------------------------------------------------------------------------------------

    def order_name(self, index: int) -> str:
        names = [*self.model.orders]
        return names[index % len(names)]

    def code(self, index: int) -> str:
        codes = [*self.model.by_code]
        return codes[index % len(codes)]

    def scope(self, drawn: dict[str, Any], *, unknown: bool = False) -> dict[str, Any]:
        if "codes" in drawn:
            codes = [self.code(index) for index in drawn["codes"]]
            return {"codes": [*codes, UNKNOWN_CODE] if unknown else codes}
        return {**drawn, "order": "nobody" if unknown else self.order_name(drawn["order"])}

    # commands -----------------------------------------------------------------------------------------------------

    def apply(self, command: dict[str, Any]) -> None:
        """Preview and apply everywhere, and compare what is said."""
        self.steps += 1
        event_id = f"command-{self.steps}"
        preview = json.loads(self.in_memory.engine.preview(TENANT, self.now_us, encode(command)))
        reports = {
            brand.apply(command, event_id=event_id, at_us=self.now_us) for brand in (self.on_disk, self.in_memory)
        }
        assert len(reports) == 1, reports
        self.reports[event_id] = reports.pop()
        report = json.loads(self.reports[event_id])
        expected = self.model.apply(command, event_id, self.now_us)
        self.model.learn_codes(self.in_memory.codes)
        if command["command"] in ("freeze", "recall") and expected["status"] == "applied":
            self.holds.append(event_id)
        said = {key: set(report[key]) if isinstance(report.get(key), list) else report.get(key) for key in expected}
        assert said == expected, (command, report)
        assert {**preview, "event_id": event_id, "hold": report.get("hold")} == {"hold": None, **report}

    @precondition(lambda self: len(self.model.orders) < ORDERS_MAX)
    @rule(
        series=st.sampled_from(["pair", "solo", "case"]),
        product=st.sampled_from(["tea", "tea", "oil", None]),
        quantity=st.integers(1, 6),
        expiry=st.sampled_from(["never", "never", "soon", "later", "long past"]),
        unknown=rarely,
    )
    def issue(self, series: str, product: str | None, quantity: int, expiry: str, unknown: bool) -> None:
        command: dict[str, Any] = {
            "command": "issue",
            "order": f"o{len(self.model.orders)}",
            "series": "nobody" if unknown else series,
            "quantity": quantity,
        }
        if product is not None:
            command["product"] = product
        if expiry != "never":
            soon_us = self.now_us + (600 if expiry == "soon" else 4_000) * SECOND_US
            command["expires_at_us"] = LONG_PAST_US if expiry == "long past" else soon_us
        self.apply(command)

    @rule(order=indexes, quantity=st.integers(3, 5))
    def issue_again(self, order: int, quantity: int) -> None:
        """The same content again is the same order; other content under its name is refused."""
        name = self.order_name(order)
        series = self.model.orders[name].series
        self.apply({"command": "issue", "order": name, "series": series, "product": "tea", "quantity": quantity})

    @rule(
        kind=st.sampled_from(["activate", "activate", "freeze", "freeze", "freeze", "void", "recall"]),
        scope=scopes,
        strict=rarely,
        unknown=rarely,
    )
    def change(self, kind: str, scope: dict[str, Any], strict: bool, unknown: bool) -> None:
        where = self.scope(scope, unknown=unknown)
        self.apply({"command": kind, "scope": where, "reason": "because", "strict": strict})

    @precondition(lambda self: self.holds)
    @rule(hold=indexes, scope=st.none() | scopes, unknown=rarely, unnamed=rarely)
    def unfreeze(self, hold: int, scope: dict[str, Any] | None, unknown: bool, unnamed: bool) -> None:
        command: dict[str, Any] = {"command": "unfreeze", "reason": "because"}
        if not unnamed:
            command["hold"] = "nobody" if unknown else self.holds[hold % len(self.holds)]
        if scope is not None:
            command["scope"] = self.scope(scope)
        self.apply(command)

    @rule(pairs=st.lists(st.tuples(indexes, indexes), min_size=1, max_size=3), uneven=rarely)
    def replace(self, pairs: list[tuple[int, int]], uneven: bool) -> None:
        old, new = [self.code(index) for index, _ in pairs], [self.code(index) for _, index in pairs]
        self.apply({"command": "replace", "old": old, "new": new[uneven:], "reason": "because"})

    @rule(old=st.lists(indexes, min_size=1, max_size=2, unique=True), spread=indexes)
    def replace_fitting(self, old: list[int], spread: int) -> None:
        """New items that are only issued, of the first old one's product and level."""
        olds = [self.code(index) for index in old]
        first = self.model.by_code[olds[0]][0]
        fitting = [
            code
            for code, (item, _) in self.model.by_code.items()
            if item.lifecycle == "issued" and item.order.level == first.order.level and item is not first
        ]
        if len(fitting) >= len(olds):
            start = spread % (len(fitting) - len(olds) + 1)
            news = fitting[start : start + len(olds)]
            self.apply({"command": "replace", "old": olds, "new": news, "reason": "because"})

    @rule(event=indexes)
    def repeat(self, event: int) -> None:
        """A known event id returns its stored report, whatever else is said."""
        event_id = [*self.reports][event % len(self.reports)]
        for brand in (self.on_disk, self.in_memory):
            again = brand.engine.apply(TENANT, event_id, 1, self.now_us, "someone else", b"{}")
            assert again == self.reports[event_id]

    @rule(distance=st.sampled_from([-1, 1, 2]))
    def apply_out_of_turn(self, distance: int) -> None:
        """A gap, or a used seq with another id, is an error and stores nothing."""
        command = encode({"command": "void", "scope": {"order": "o0"}, "reason": "because"})
        for brand in (self.on_disk, self.in_memory):
            seq = brand.engine.last_seq(TENANT) + 1 + distance
            with pytest.raises(Conflict):
                brand.engine.apply(TENANT, "out-of-turn", seq, self.now_us, "tester", command)
            assert brand.engine.applied(TENANT, "out-of-turn") is None

    # scans --------------------------------------------------------------------------------------------------------

    @rule(code=indexes, visits=st.lists(visits, min_size=1, max_size=8))
    def scan(self, code: int, visits: list[Visit]) -> None:
        """Several people look at one code."""
        for visit in visits:
            self.visit(self.code(code), visit)

    @rule(row=st.integers(0, 1), inner=st.booleans(), visits=st.lists(visits, min_size=4, max_size=20))
    def scan_much(self, row: int, inner: bool, visits: list[Visit]) -> None:
        """Many people look at one of few codes, which are active unless a command said otherwise."""
        item = self.model.orders["o0" if inner else "o1"].items[row]
        for visit in visits:
            self.visit(item.faces[item.counting_face].code, visit)

    def visit(self, text: str, visit: Visit) -> None:
        """A clock may step back: for what was scanned before, it then stands still."""
        device, given_us = visit.device, self.now_us - visit.back_s * SECOND_US
        context = ScanContext(
            role=visit.role,
            device=device.cookie and device.cookie.encode(),
            address=device.address,
            user_agent=b"browser",
            idempotency_key=visit.key and visit.key.encode(),
            count=visit.count,
            now_us=given_us,
        )
        answers = {brand.engine.scan(TENANT, text.encode(), context) for brand in (self.on_disk, self.in_memory)}
        assert len(answers) == 1, answers
        answer = json.loads(answers.pop())
        expected = self.model.scan(text, device, visit.role, given_us, key=visit.key, count=visit.count)
        assert (answer["verdict"], tuple(answer["reasons"])) in expected["answers"], (answer, expected)
        assert answer["is_first"] in expected["is_first"], (answer, expected)
        first_us = answer["first_at"] and milliseconds(answer["first_at"]) * 1_000
        told = {"scans": answer["scans"], "first_us": first_us, "recorded": answer["recorded"]}
        assert told == {key: expected[key] for key in told}, (answer, expected)
        assert answer["code"] == text
        self.now_us += visit.wait_s * SECOND_US

    @rule(text=st.sampled_from(["", "hello", "0" * 15, "0" * 20, UNKNOWN_CODE, "\u8336"]))
    def scan_no_code(self, text: str) -> None:
        """What names no item answers alike everywhere and changes nothing."""
        context = ScanContext(device=b"phone-a", now_us=self.now_us)
        answers = {brand.engine.scan(TENANT, text.encode(), context) for brand in (self.on_disk, self.in_memory)}
        assert len(answers) == 1, answers
        assert json.loads(answers.pop())["verdict"] in ("unknown", "mistyped", "malformed")

    @rule(seconds=seconds)
    def wait(self, seconds: int) -> None:
        self.now_us += seconds * SECOND_US

    @rule(from_copy=st.booleans())
    def reopen(self, from_copy: bool) -> None:
        """Close and open again, or go on from a consistent copy."""
        if from_copy:
            copy = self.folder / f"copy-{self.steps}-{len(list(self.folder.iterdir()))}"
            self.on_disk.engine.checkpoint(str(copy))
            self.path = copy
        self.on_disk.engine.close()
        self.on_disk = Brand(open_engine(getattr(self, "path", self.folder / "engine"), create=False))
        self.compare_items()

    # what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def orders_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        shown = self.on_disk.engine.orders(TENANT)
        assert shown == self.in_memory.engine.orders(TENANT)
        for order in json.loads(shown):
            model = self.model.orders[order["order"]]
            assert order["by_state"] == model.by_state(TODAY_US)
            assert {hold["hold"]: hold["items"] for hold in order["holds"]} == model.holds()
            facts = {"product": model.product, "quantity": len(model.items), "first_serial": model.first_serial}
            assert {key: order[key] for key in facts} == facts
        assert self.on_disk.status()["ledger_root"] == self.in_memory.status()["ledger_root"]

    def compare_items(self) -> None:
        """Look every code up."""
        for code, (item, _) in self.model.by_code.items():
            shown = self.on_disk.engine.lookup(TENANT, code.encode())
            assert shown == self.in_memory.engine.lookup(TENANT, code.encode())
            found = json.loads(shown)
            assert found["state"] == item.state(TODAY_US)
            assert found["lifecycle"] == item.lifecycle
            assert {hold["hold"]: hold["kind"] for hold in found["holds"]} == item.holds
            assert (found["order"], found["index"]) == (item.order.name, item.index)
            successor = item.successor and item.successor.faces[item.successor.counting_face].code
            assert found["successor"] == successor
            for shown_face in found["faces"]:
                face = item.faces[shown_face["face"]]
                assert shown_face["code"] == face.code
                assert shown_face["scans"] == face.scans
                assert (shown_face["first_at_us"], shown_face["last_at_us"]) == (face.first_us, face.last_us)
                if not face.is_overfull:
                    assert shown_face["sessions"] == len(face.sessions)


def test_disk_memory_and_model_agree_whatever_happens(crash_cycles: int) -> None:
    """As many histories as the crash suite has cycles."""
    few_or_many = settings(
        max_examples=crash_cycles,
        report_multiple_bugs=False,
        stateful_step_count=30,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(EngineMachine, settings=few_or_many)
