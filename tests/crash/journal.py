"""The parent's own memory of what a killed process was answered, and its comparison with a reopened engine.

A promise is what came back through the pipe; a call that was announced but not answered may have happened or not.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crash.orders import Orders

DEVICES = ("ann", "ben", "eve", "zoe")
"""No more devices than a record keeps sessions, so the number of sessions is exact."""
COUNTED = ("genuine", "repeat")
OLD_ITEMS_CHECKED = 500
OLD_COMMANDS_CHECKED = 20


class Fact(NamedTuple):
    """What the reopened engine holds of one code."""

    serial: int
    state: str
    scans: int
    sessions: int
    first_at_us: int | None
    verdicts: list[str]

    def first(self) -> set[str]:
        """Devices that the engine calls first; only an active item tells."""
        if self.state != "active" or self.scans == 0:
            return set()
        return {device for device, verdict in zip(DEVICES, self.verdicts, strict=True) if verdict == "genuine"}


@dataclass(slots=True)
class Item:
    """What is known of one code: sure since the last check, and what was said after it."""

    order: str = ""
    scans: int = 0
    first: str | None = None
    first_at_us: int | None = None
    devices: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()
    numbers: list[int] = field(default_factory=list)
    first_at_ms: set[int] = field(default_factory=set)
    in_flight: int = 0

    def settle(self, fact: Fact) -> None:
        """Take what the engine holds for sure from now on."""
        self.first = self.first or next(iter(fact.first()), None)
        self.scans, self.first_at_us, self.in_flight = fact.scans, fact.first_at_us, 0
        self.numbers, self.first_at_ms = [], set()


@dataclass(slots=True)
class Sent:
    """A command as it was given to the engine, and its report once there is one."""

    event_id: str
    seq: int
    at_us: int
    command: str
    report: str | None = None


class Journal:
    """Everything acknowledged over all processes that wrote to one directory."""

    def __init__(self) -> None:
        self.orders = Orders()
        self.items: dict[int, Item] = {}
        self.commands: list[Sent] = []
        self.pending: Sent | None = None
        self.scans = 0
        self.findings: list[str] = []
        self._open: dict[int, tuple[str, list[tuple[int, str]]]] = {}
        self._touched: set[int] = set()
        self._unchecked_from = 0

    def read(self, lines: list[list[Any]]) -> None:
        """Take in what one process wrote until it was killed."""
        for kind, *rest in lines:
            match kind:
                case "scan":
                    thread, device, items = rest
                    self._open[thread] = (device, items)
                case "seen":
                    self._seen(*rest)
                case "command":
                    self.pending = Sent(*rest)
                case "report":
                    self._acknowledge(rest[0])
        for device, items in self._open.values():
            for serial, order in items:
                item = self._touch(serial, order)
                item.in_flight += 1
                item.maybe |= {device}
        self._open.clear()

    def question(self, limit: int = OLD_ITEMS_CHECKED) -> dict[str, Any]:
        """What to ask the reopened engine: everything since the last check, and a sample of what was before."""
        fresh = self.commands[self._unchecked_from :]
        old = self.commands[: self._unchecked_from]
        again = fresh + random.sample(old, min(len(old), OLD_COMMANDS_CHECKED))
        serials = self._touched.union(random.sample(list(self.items), min(len(self.items), limit)))
        return self.question_about(sorted(serials), again)

    def question_about(self, serials: list[int], again: list[Sent] | None = None) -> dict[str, Any]:
        """Ask about these codes, these commands and the one in flight."""
        commands = [(sent.event_id, sent.seq, sent.at_us, sent.command) for sent in again or []]
        pending = self.pending.event_id if self.pending else None
        return {"serials": serials, "commands": commands, "pending": pending}

    def compare(self, facts: dict[str, Any]) -> list[str]:
        """All that the engine says otherwise than the journal; then what it says is the journal's new ground."""
        self._compare_commands(facts)
        self._compare_orders(facts)
        for fact in (Fact(*row) for row in facts["items"]):
            item, before = self.items[fact.serial], len(self.findings)
            self._compare_item(item, fact)
            if len(self.findings) > before:
                self.findings.append(f"{fact} was {item}")
            item.settle(fact)
            self._touched.discard(fact.serial)
        self._unchecked_from = len(self.commands)
        return self.findings

    def _expect(self, is_so: bool, finding: str) -> None:
        if not is_so:
            self.findings.append(finding)

    def _touch(self, serial: int, order: str) -> Item:
        self._touched.add(serial)
        return self.items.setdefault(serial, Item(order))

    def _seen(self, thread: int, answers: list[tuple[str, bool | None, bool, int, int]]) -> None:
        device, items = self._open.pop(thread)
        for (serial, order), (verdict, is_first, is_recorded, scans, first_at_ms) in zip(items, answers, strict=True):
            item = self._touch(serial, order)
            if not is_recorded or verdict not in COUNTED:
                self._expect(is_first is None, f"serial {serial}: {verdict}, yet is_first is {is_first}")
                continue
            self.scans += 1
            item.numbers.append(scans)
            item.devices |= {device}
            item.first_at_ms.add(first_at_ms)
            self._expect(is_first == (verdict == "genuine"), f"serial {serial}: {verdict}, is_first {is_first}")
            self._expect(is_first == (item.first == device) or item.first is None, f"serial {serial}: two are first")
            if is_first:
                item.first = device

    def _acknowledge(self, report: str) -> None:
        sent, self.pending = self.pending, None
        assert sent is not None
        sent.report = report
        self.commands.append(sent)
        command, said = json.loads(sent.command), json.loads(report)
        self.orders.apply(command, sent.event_id, said)
        for name in said["orders"]:
            by_state = {state: count for state, count in said["by_state"].items() if count}
            self._expect(by_state == self.orders.counts(name), f"report {report} is not {self.orders.counts(name)}")

    def _compare_commands(self, facts: dict[str, Any]) -> None:
        last = self.commands[-1].seq if self.commands else 0
        if self.pending is not None and facts["pending"] is not None:
            last += 1
            self._acknowledge(facts["pending"])
        self.pending = None
        self._expect(facts["last_seq"] == last, f"last seq is {facts['last_seq']}, {last} was acknowledged")
        self._expect(facts["leaves"] == last, f"the ledger has {facts['leaves']} leaves for {last} commands")
        self._expect(facts["repeats_change_nothing"], "a repeated command changed something")
        reports = {sent.event_id: sent.report for sent in self.commands}
        for event_id, stored, repeated in facts["reports"]:
            self._expect(stored == reports[event_id], f"report of {event_id} is stored as {stored}")
            self._expect(repeated == reports[event_id], f"report of {event_id} is repeated as {repeated}")

    def _compare_orders(self, facts: dict[str, Any]) -> None:
        found = {name: by_state for name, _, by_state in facts["orders"]}
        self._expect(found.keys() == self.orders.named.keys(), f"orders are {sorted(found)}")
        for name, quantity, by_state in facts["orders"]:
            self._expect(sum(by_state.values()) == quantity, f"{name}: {by_state} is not {quantity} items")
            if name in self.orders.named:
                known = self.orders.counts(name)
                self._expect(by_state == known, f"{name}: {by_state}, but commands made {known}")

    def _compare_item(self, item: Item, fact: Fact) -> None:
        name, scans, first_at_us = f"serial {fact.serial}", fact.scans, fact.first_at_us
        known = self.orders.state_of(item.order, fact.serial)
        self._expect(fact.state == known, f"{name} is {fact.state}, but commands made it {known}")
        least, numbers = item.scans + len(item.numbers), set(item.numbers)
        self._expect(least <= scans <= least + item.in_flight, f"{name}: {scans} scans, {least} acknowledged")
        self._expect(len(numbers) == len(item.numbers), f"{name}: two scans got one number")
        self._expect(all(item.scans < number <= scans for number in numbers), f"{name}: a scan's number is off")
        most = len(item.devices | item.maybe)
        self._expect(len(item.devices) <= fact.sessions <= most, f"{name}: {fact.sessions} sessions")
        self._expect((first_at_us is None) == (scans == 0), f"{name}: {scans} scans, the first at {first_at_us}")
        self._expect(item.first_at_us in (None, first_at_us), f"{name}: its first scan moved")
        is_as_said = first_at_us is None or item.first_at_ms <= {first_at_us // 1000}
        self._expect(is_as_said, f"{name}: its first scan is not when answers said")
        if fact.state == "active" and scans > 0:
            first, can_be = fact.first(), {item.first} if item.first else item.maybe
            self._expect(len(first) == 1 and first <= can_be, f"{name}: {first} first instead of {can_be}")
