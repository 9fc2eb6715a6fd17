"""The process that is killed: it tells what the reopened engine holds, then scans and applies commands.

It announces every call on its pipe and writes the answer after the call returned, one write for each line.
"""

import json
import os
import random
import struct
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crash.journal import DEVICES

from imp import _core

TENANT = "brand"
SECRET = b"a secret of exactly 32 bytes ..."
SESSION_US = 86_400_000_000  # longer than every run: the device that was first is first whenever it scans
HOT_ITEMS = 12
WAVE_ITEMS = 400
BATCH = 16
ROW = struct.Struct("<BBBBIq")
NO_FACE = {"scans": 0, "sessions": 0, "first_at_us": None}
FOUNDING: list[dict[str, Any]] = [
    {"command": "set_domain", "host": "c.example"},
    {
        "command": "open_key_space",
        "series": "s",
        "epoch": 1,
        "domain": "c.example",
        "format": "base32",
        "level": "item",
        "pairing": "single",
        "nonce": "00112233445566778899aabbccddeeff",
        "faces": [{"face": "outer", "slot": 1}],
    },
    {"command": "issue", "order": "hot", "series": "s", "quantity": HOT_ITEMS},
    {"command": "activate", "scope": {"order": "hot"}, "reason": "released"},
]


@dataclass
class Plan:
    """What the parent wants of this process."""

    directory: str
    name: str
    flush_interval_us: int = 50_000
    has_commands: bool = True


def tell(*line: Any) -> None:
    """Write one line to the parent: the kernel takes up to 4,096 bytes in one piece, whichever thread writes."""
    rest = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    while rest:
        rest = rest[os.write(1, rest) :]


def open_engine(plan: Plan) -> _core.Engine:
    """The engine of the directory, which is founded when there is none."""
    options = _core.EngineOptions(create=True, session_us=SESSION_US, flush_interval_us=plan.flush_interval_us)
    return _core.Engine.open(plan.directory, SECRET, options)


def cipher_of(engine: _core.Engine) -> _core.SlotCipher:
    """The permutation of the one series."""
    _, slot, key = engine.export_keys(TENANT, "hot")[0]
    return _core.SlotCipher("base32", slot, key)


def rows_of(packed: bytes) -> list[tuple[str, bool | None, bool, int, int]]:
    """Packed answers as (verdict, is_first, recorded, scans, first at in ms)."""
    return [
        (_core.VERDICTS[verdict], (False, True, None)[is_first], bool(recorded), scans, first_at_us // 1000)
        for verdict, is_first, recorded, _, scans, first_at_us in ROW.iter_unpack(packed)
    ]


def items_of(engine: _core.Engine, serials: list[int]) -> list[list[Any]]:
    """What the engine holds of each code: serial, state, scans, sessions, first scan, verdict for every device."""
    if not serials:
        return []
    codes = [cipher_of(engine).encode(serial) for serial in serials]
    looks = [
        [row[0] for row in rows_of(engine.scan_many(TENANT, codes, _core.ScanContext(device=device, count=False)))]
        for device in (name.encode() for name in DEVICES)
    ]
    found = [json.loads(engine.lookup(TENANT, code)) for code in codes]
    faces = [(it["faces"] or [NO_FACE])[0] for it in found]
    return [
        [serial, it["state"], face["scans"], face["sessions"], face["first_at_us"], verdicts]
        for serial, it, face, verdicts in zip(serials, found, faces, zip(*looks, strict=True), strict=True)
    ]


def governance(engine: _core.Engine) -> tuple[Any, ...]:
    """All that a command may change."""
    status = json.loads(engine.status())
    return *(status[key] for key in ("epoch", "ledger_leaves", "ledger_root", "last_seqs")), engine.orders(TENANT)


def examine(engine: _core.Engine, question: dict[str, Any]) -> dict[str, Any]:
    """Answer the parent's question; commands that were acknowledged are given again."""
    last_seq, before = engine.last_seq(TENANT), governance(engine)
    pending = engine.applied(TENANT, question["pending"]) if question["pending"] else None
    reports: list[list[str | None]] = []
    for event_id, seq, at_us, command in question["commands"]:
        stored = engine.applied(TENANT, event_id)
        # An acknowledged command that is gone would be applied now, and everything after it judged wrongly.
        again = None if stored is None else engine.apply(TENANT, event_id, seq, at_us, "tester", command.encode())
        reports.append([event_id, stored and stored.decode(), again and again.decode()])
    return {
        "last_seq": last_seq,
        "leaves": before[1],
        "pending": pending and pending.decode(),
        "reports": reports,
        "repeats_change_nothing": governance(engine) == before,
        "orders": [
            [order["order"], order["quantity"], {state: n for state, n in order["by_state"].items() if n}]
            for order in json.loads(engine.orders(TENANT))
        ],
        "items": items_of(engine, question["serials"]),
    }


class Commands:
    """The one line of commands: ranges of the newest orders are activated, frozen, released and voided."""

    def __init__(self, engine: _core.Engine, plan: Plan) -> None:
        self.engine, self.name = engine, plan.name
        self.holds: list[tuple[str, dict[str, Any]]] = []

    def apply(self, command: dict[str, Any]) -> None:
        """Announce, apply, report."""
        seq = self.engine.last_seq(TENANT) + 1
        event_id, at_us, text = f"{self.name}-{seq}", time.time_ns() // 1000, json.dumps(command)
        tell("command", event_id, seq, at_us, text)
        tell("report", self.engine.apply(TENANT, event_id, seq, at_us, "tester", text.encode()).decode())
        if command["command"] == "freeze":
            self.holds.append((event_id, command["scope"]))

    def found(self) -> str:
        """Found what is missing, and issue an order of fresh codes, half of them active; its name."""
        for command in FOUNDING[self.engine.last_seq(TENANT) :]:
            self.apply(command)
        wave = f"wave-{self.name}"
        self.apply({"command": "issue", "order": wave, "series": "s", "quantity": WAVE_ITEMS})
        self.apply({"command": "activate", "scope": self.range(wave, 0, WAVE_ITEMS // 2), "reason": "released"})
        return wave

    @staticmethod
    def range(order: str, first: int, count: int) -> dict[str, Any]:
        """A scope."""
        return {"order": order, "first": first, "count": count}

    def run(self, waves: list[str]) -> None:
        """Change something for ever."""
        while True:
            kind = random.choice(("activate", "activate", "freeze", "unfreeze", "unfreeze", "void"))
            scope = self.range(random.choice(waves), random.randrange(WAVE_ITEMS - 40), random.randint(1, 40))
            if kind == "unfreeze" and not self.holds:
                continue
            command: dict[str, Any] = {"command": kind, "scope": scope, "reason": "drill"}
            if kind == "void":
                scope["count"] = random.randint(1, 3)
            if kind == "unfreeze":
                command["hold"], command["scope"] = self.holds.pop(random.randrange(len(self.holds)))
            self.apply(command)


class Scans:
    """Several threads over the same codes: all walk the fresh ones in one order, so that they race to be first."""

    def __init__(self, engine: _core.Engine, wave: str) -> None:
        self.engine = engine
        cipher = cipher_of(engine)
        self.wave = self.items(cipher, wave, WAVE_ITEMS)
        self.hot = self.items(cipher, "hot", HOT_ITEMS)

    def items(self, cipher: _core.SlotCipher, order: str, count: int) -> list[tuple[int, str, bytes]]:
        """Serial, order and code of each item."""
        first = json.loads(self.engine.order(TENANT, order))["first_serial"]
        return [(serial, order, cipher.encode(serial)) for serial in range(first, first + count)]

    def run(self, thread: int, size: int) -> None:
        """Scan for ever, `size` codes with each call; some are hot."""
        contexts = {name: _core.ScanContext(device=name.encode()) for name in DEVICES}
        at = 0
        while True:
            device = random.choice(DEVICES)
            if size == 1 and random.random() < 0.5:
                items = [random.choice(self.hot)]
            else:
                items = self.wave[at : at + size]
                at = (at + size) % WAVE_ITEMS
            tell("scan", thread, device, [item[:2] for item in items])
            codes = [item[2] for item in items]
            if size == 1:
                answers = [self.parse(self.engine.scan(TENANT, codes[0], contexts[device]))]
            else:
                answers = rows_of(self.engine.scan_many(TENANT, codes, contexts[device]))
            tell("seen", thread, answers)

    @staticmethod
    def parse(answer: bytes) -> tuple[str, bool | None, bool, int, int]:
        """The JSON answer in the form of `rows_of`."""
        said = json.loads(answer)
        first_at = said["first_at"]
        # Counted in whole milliseconds: a float of seconds would round.
        moment = datetime.fromisoformat(first_at) if first_at else None
        first_at_ms = int(moment.timestamp()) * 1000 + moment.microsecond // 1000 if moment else 0
        return said["verdict"], said["is_first"], said["recorded"], said["scans"] or 0, first_at_ms


def main() -> None:
    """Open, answer questions, and after an empty one write until killed or until the parent is gone."""
    plan = Plan(**json.loads(sys.argv[1]))
    began = time.perf_counter()
    engine = open_engine(plan)
    tell("opened", time.perf_counter() - began)
    while question := json.loads(sys.stdin.buffer.readline() or b"null"):
        tell("facts", examine(engine, question))
    if question is None:
        engine.close()
        return
    commands = Commands(engine, plan)
    wave = commands.found()
    waves = [order["order"] for order in json.loads(engine.orders(TENANT))[1:]][-3:]
    scans = Scans(engine, wave)
    jobs = [(scans.run, (0, 1)), (scans.run, (1, 1)), (scans.run, (2, BATCH))]
    if plan.has_commands:
        jobs.append((commands.run, (waves,)))
    tell("ready")
    for job, arguments in jobs:
        threading.Thread(target=job, args=arguments, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
