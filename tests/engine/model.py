"""What the engine promises, as one row per item and one list of sessions per face.

Written from the design's words, and slow on purpose: no sets of ranges, no maintained counts, no stored form.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SESSION_US = 600_000_000
SESSIONS_KEPT_MAX = 4
STATES = ("issued", "active", "frozen", "recalled", "void", "expired")
# Levels whose consumer scans decide who was first.
COUNTING_LEVELS = ("item", "box")
# State → (verdict, reason) of a scan; an active item's verdict depends on its sessions.
ANSWERS = {
    "issued": ("inactive", "not_activated"),
    "frozen": ("frozen", "on_hold"),
    "recalled": ("recalled", "under_recall"),
    "void": ("void", "voided"),
    "expired": ("expired", "past_expiry"),
}


class Refused(Exception):
    """The command is refused; `holds` are listed where one should have been named."""

    def __init__(self, reason: str, holds: Iterable[str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.holds = None if holds is None else set(holds)


@dataclass(frozen=True)
class Given:
    """A command with its id and time."""

    command: Mapping[str, Any]
    event_id: str
    at_us: int


@dataclass(frozen=True)
class Device:
    """Who scans: a cookie (here the caller's device id), a network address with its /24, both or neither."""

    cookie: str | None = None
    address: str | None = None

    @property
    def network(self) -> str | None:
        return self.address and self.address.rpartition(".")[0]


@dataclass
class Session:
    """One device, from its start on; starts are kept in whole seconds after the face's first scan."""

    device: Device
    start_us: int

    def has_cookie_of(self, device: Device) -> bool:
        return device.cookie is not None and device.cookie == self.device.cookie

    def has_address_of(self, device: Device) -> bool:
        """The address decides only when one side has no cookie."""
        both_have_cookies = device.cookie is not None and self.device.cookie is not None
        return not both_have_cookies and device.network is not None and device.network == self.device.network


@dataclass
class Face:
    """One readable code of an item."""

    code: str
    opens_sessions: bool
    scans: int = 0
    first_us: int | None = None
    last_us: int | None = None
    sessions: list[Session] = field(default_factory=list)
    last_key: str | None = None
    told_first: bool | None = None

    def visit(self, device: Device, now_us: int, key: str | None) -> tuple[bool | None, bool]:
        """Count a scan; (is_first, whether the design leaves is_first open). Time never runs backwards."""
        if key is not None and key == self.last_key:
            return self.told_first, False
        now_us = max(now_us, self.last_us or now_us)
        if self.first_us is None:
            self.first_us = now_us
        self.last_us = now_us
        self.scans += 1
        is_first, is_open = self.join(device, now_us) if self.opens_sessions else (None, False)
        if key is not None:
            self.last_key, self.told_first = key, is_first
        return is_first, is_open

    def join(self, device: Device, now_us: int) -> tuple[bool, bool]:
        """Find the device's live session, by its cookie rather than by its address, or open one."""
        live = [session for session in self.sessions if now_us - session.start_us < SESSION_US]
        by_cookie = [session for session in live if session.has_cookie_of(device)]
        by_address = [session for session in live if session.has_address_of(device)]
        found = (by_cookie or by_address)[:1]
        if not found:
            assert self.first_us is not None
            start_us = self.first_us + (now_us - self.first_us) // 1_000_000 * 1_000_000
            self.sessions.append(Session(device, start_us))
            return len(self.sessions) == 1, False
        # A record keeps four sessions. Where the cookie's own may have been left out, the address may decide.
        is_open = self.is_overfull and found[0] is not self.sessions[0] and self.sessions[0] in by_address
        return found[0] is self.sessions[0], is_open

    @property
    def is_overfull(self) -> bool:
        """Whether there were more sessions than a record keeps: how many there were is then a lower bound."""
        known = [session for session in self.sessions[1:] if session.device != Device()]
        return len(known) >= SESSIONS_KEPT_MAX


@dataclass
class Item:
    """One row."""

    order: "Order"
    index: int
    faces: dict[str, Face]
    lifecycle: str = "issued"
    successor: "Item | None" = None
    holds: dict[str, str] = field(default_factory=dict)
    """Hold id → "freeze" or "recall"."""

    def state(self, at_us: int) -> str:
        """Recalled > void > frozen > expired > issued or active."""
        if "recall" in self.holds.values():
            return "recalled"
        if self.lifecycle == "void":
            return "void"
        if "freeze" in self.holds.values():
            return "frozen"
        if self.order.expires_at_us is not None and at_us >= self.order.expires_at_us:
            return "expired"
        return self.lifecycle

    @property
    def counting_face(self) -> str:
        return "inner" if "inner" in self.faces else "outer"


@dataclass
class Order:
    """Items issued together."""

    name: str
    series: str
    level: str
    product: str | None
    expires_at_us: int | None
    first_serial: int
    items: list[Item] = field(default_factory=list)

    def by_state(self, at_us: int) -> dict[str, int]:
        states = [item.state(at_us) for item in self.items]
        return {state: states.count(state) for state in STATES}

    def holds(self) -> dict[str, int]:
        """Hold id → how many items it covers."""
        ids = [hold for item in self.items for hold in item.holds]
        return {hold: ids.count(hold) for hold in ids}


class Model:
    """A brand's orders."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.levels: dict[str, str] = {}
        self.products: set[str] = set()
        self.by_code: dict[str, tuple[Item, Face]] = {}
        self._contents: dict[str, Mapping[str, Any]] = {}

    def apply(self, command: Mapping[str, Any], event_id: str, at_us: int) -> dict[str, Any]:
        """Carry the command out; the report without what only the engine can know."""
        try:
            return getattr(self, f"_{command['command']}")(Given(command, event_id, at_us))
        except Refused as refusal:
            listed = {} if refusal.holds is None else {"holds": refusal.holds}
            return {"status": "refused", "reason": refusal.reason, **_counts([], at_us), **listed}

    # catalogue ----------------------------------------------------------------------------------------------------

    def _set_domain(self, given: Given) -> dict[str, Any]:
        return _report([], given.at_us, changed=1)

    def _set_product(self, given: Given) -> dict[str, Any]:
        self.products.add(given.command["product"])
        return _report([], given.at_us, changed=1)

    def _open_key_space(self, given: Given) -> dict[str, Any]:
        self.levels[given.command["series"]] = given.command["level"]
        return _report([], given.at_us, changed=1)

    def _issue(self, given: Given) -> dict[str, Any]:
        name, series, quantity = given.command["order"], given.command["series"], given.command["quantity"]
        if series not in self.levels:
            raise Refused("unknown_series")
        if name in self.orders:
            if self._contents[name] != given.command:
                raise Refused("conflict")
            order = self.orders[name]
            return _report([order], given.at_us, already=quantity) | {"first_serial": order.first_serial}
        if given.command.get("product") not in (None, *self.products):
            raise Refused("unknown_product")
        first = sum(len(order.items) for order in self.orders.values() if order.series == series)
        level = self.levels[series]
        order = Order(name, series, level, given.command.get("product"), given.command.get("expires_at_us"), first)
        self.orders[name], self._contents[name] = order, given.command
        order.items = [Item(order, index, {}) for index in range(quantity)]
        return _report([order], given.at_us, changed=quantity) | {"first_serial": first, "quantity": quantity}

    def learn_codes(self, codes_of: Callable[[str], Mapping[str, list[bytes]]]) -> None:
        """Give the items of newly issued orders their codes, which only an engine can tell: by face, then by row."""
        for order in self.orders.values():
            if not order.items[0].faces:
                self._give_codes(order, codes_of(order.name))

    def _give_codes(self, order: Order, codes: Mapping[str, list[bytes]]) -> None:
        counting = "inner" if "inner" in codes else "outer"
        for face, texts in codes.items():
            opens_sessions = face == counting and order.level in COUNTING_LEVELS
            for item, code in zip(order.items, texts, strict=True):
                item.faces[face] = Face(code.decode(), opens_sessions)
                self.by_code[code.decode()] = (item, item.faces[face])

    # state --------------------------------------------------------------------------------------------------------

    def _select(self, scope: Mapping[str, Any]) -> list[Item]:
        if "codes" in scope:
            return list({id(item): item for item in self._find(scope["codes"])}.values())
        order = self.orders.get(scope["order"])
        if order is None:
            raise Refused("unknown_order")
        if "first" not in scope:
            return order.items
        first, count = scope["first"], scope["count"]
        if count < 1 or first + count > len(order.items):
            raise Refused("out_of_range")
        return order.items[first : first + count]

    def _find(self, codes: Iterable[str]) -> list[Item]:
        found = [self.by_code.get(code) for code in codes]
        if None in found:
            raise Refused("unknown_code")
        return [pair[0] for pair in found if pair is not None]

    def _activate(self, given: Given) -> dict[str, Any]:
        items = self._select(given.command["scope"])
        eligible = [item for item in items if item.lifecycle != "void"]
        changed = [item for item in eligible if item.lifecycle == "issued"]
        counts = _weigh(given, items, eligible, changed)
        for item in changed:
            item.lifecycle = "active"
        return _report(_orders(items), given.at_us, **counts)

    def _void(self, given: Given) -> dict[str, Any]:
        items = self._select(given.command["scope"])
        changed = [item for item in items if item.lifecycle != "void"]
        counts = _weigh(given, items, items, changed)
        for item in changed:
            item.lifecycle = "void"
        return _report(_orders(items), given.at_us, **counts)

    def _freeze(self, given: Given) -> dict[str, Any]:
        items = self._select(given.command["scope"])
        return self._hold(given, items, [item for item in items if item.lifecycle != "void"])

    def _recall(self, given: Given) -> dict[str, Any]:
        items = self._select(given.command["scope"])
        return self._hold(given, items, items)

    def _hold(self, given: Given, items: list[Item], eligible: list[Item]) -> dict[str, Any]:
        counts = _weigh(given, items, eligible, eligible)
        for item in eligible:
            item.holds[given.event_id] = given.command["command"]
        return _report(_orders(items), given.at_us, **counts) | {"hold": given.event_id}

    def _unfreeze(self, given: Given) -> dict[str, Any]:
        hold, scope = given.command.get("hold"), given.command.get("scope")
        every = [item for order in self.orders.values() for item in order.items]
        if hold is None:
            held = self._select(scope) if scope else every
            raise Refused("hold_required", {hold for item in held for hold in item.holds})
        covered = [item for item in every if hold in item.holds]
        if not covered:
            raise Refused("unknown_hold")
        items = self._select(scope) if scope else covered
        changed = [item for item in items if hold in item.holds]
        for item in changed:
            del item.holds[hold]
        counts = {"changed": len(changed), "already": len(items) - len(changed)}
        return _report(_orders(items), given.at_us, **counts) | {"hold": hold}

    def _replace(self, given: Given) -> dict[str, Any]:
        if len(given.command["old"]) != len(given.command["new"]):
            raise Refused("bad_field")
        pairs = list(zip(self._find(given.command["old"]), self._find(given.command["new"]), strict=True))
        if len({id(item) for pair in pairs for item in pair}) < 2 * len(pairs):
            raise Refused("replacement_mismatch")
        for old, new in pairs:
            fits = old.order.product == new.order.product and old.order.level == new.order.level
            if new.lifecycle != "issued" or not fits:
                raise Refused("replacement_mismatch")
        living = [(old, new) for old, new in pairs if old.lifecycle != "void"]
        if not living:
            raise Refused("nothing_eligible")
        for old, new in living:
            new.lifecycle = old.lifecycle
            new.holds |= old.holds
            old.lifecycle, old.successor = "void", new
        touched = _orders([item for pair in living for item in pair])
        return _report(touched, given.at_us, changed=len(living), skipped=len(pairs) - len(living))

    # scans --------------------------------------------------------------------------------------------------------

    def scan(
        self, code: str, device: Device, role: str, now_us: int, *, key: str | None = None, count: bool = True
    ) -> dict[str, Any]:
        """What the answer says; `is_first` and `verdict` are sets of what the design allows."""
        item, face = self.by_code[code]
        state = item.state(now_us)
        visitor = face if count else copy.deepcopy(face)
        is_first, is_open = None, False
        # Only a consumer's scan of an active item counts; a look tells what it would be told.
        if state == "active" and role == "consumer" and (count or face.scans):
            is_first, is_open = visitor.visit(device, now_us, key)
        allowed = {True, False} if is_open else {is_first}
        if state == "active":
            answers = {("repeat", ("checked_before",)) if first is False else ("genuine", ()) for first in allowed}
        else:
            verdict, reason = ANSWERS[state]
            answers = {(verdict, ("replaced" if state == "void" and item.successor else reason,))}
        if not count:
            answers = {(verdict, (*reasons, "not_counted")) for verdict, reasons in answers}
            allowed = {None}
        return {
            "answers": answers,
            "is_first": allowed,
            "scans": face.scans or None,
            "first_us": face.first_us if face.scans else None,
            "recorded": count,
        }


def _orders(items: Iterable[Item]) -> list[Order]:
    return list({item.order.name: item.order for item in items}.values())


def _weigh(given: Given, items: list[Item], eligible: list[Item], changed: list[Item]) -> dict[str, int]:
    """Counts of a command on items, or its refusal as a whole."""
    skipped = len(items) - len(eligible)
    if not eligible:
        raise Refused("nothing_eligible")
    if given.command.get("strict") and skipped:
        raise Refused("would_skip")
    return {"changed": len(changed), "already": len(eligible) - len(changed), "skipped": skipped}


def _counts(orders: list[Order], at_us: int, changed: int = 0, already: int = 0, skipped: int = 0) -> dict[str, Any]:
    by_order = [order.by_state(at_us) for order in orders]
    by_state = {state: sum(counts[state] for counts in by_order) for state in STATES}
    names = {order.name for order in orders}
    return {"changed": changed, "already": already, "skipped": skipped, "by_state": by_state, "orders": names}


def _report(orders: list[Order], at_us: int, **counts: int) -> dict[str, Any]:
    return {"status": "applied", **_counts(orders, at_us, **counts)}
