"""A brand for tests: an engine with one tenant, its series, and the codes of its orders."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from imp._core import Engine, EngineOptions, ScanContext, SlotCipher

TENANT = "brand"
SECRET = bytes(range(32))
HOST = "c.example"

# Name → (format, level, pairing, faces with slots): every way in which a face can count.
SERIES: dict[str, tuple[str, str, str, tuple[tuple[str, int], ...]]] = {
    "pair": ("base32", "item", "same_serial", (("outer", 1), ("inner", 2))),
    "solo": ("digits", "item", "single", (("outer", 3),)),
    "case": ("base32", "case", "single", (("outer", 4),)),
}
PRODUCTS = ("tea", "oil")


def open_engine(path: Path | str, *, secret: bytes = SECRET, **options: Any) -> Engine:
    """Open a directory, making its store unless told otherwise."""
    return Engine.open(str(path), secret, EngineOptions(**{"create": True, "cookie_secure": True, **options}))


def milliseconds(text: str) -> int:
    """RFC 3339 to milliseconds since the epoch, without rounding."""
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1_000 + moment.microsecond // 1_000


def now_us() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000


class Brand:
    """One tenant of an engine: numbers its commands and derives its codes."""

    context: Callable[..., Any] = ScanContext

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def found(self, series: Sequence[str] = tuple(SERIES), at_us: int | None = None) -> None:
        """Domain, products and series, as the first commands of an empty directory."""
        self.must({"command": "set_domain", "host": HOST}, at_us)
        for product in PRODUCTS:
            self.must({"command": "set_product", "product": product, "name": product.title()}, at_us)
        for name in series:
            self.must(open_series(name), at_us)

    def apply(self, command: Mapping[str, Any], *, event_id: str | None = None, at_us: int | None = None) -> bytes:
        """Apply under the next seq; the report's bytes."""
        seq = self.engine.last_seq(TENANT) + 1
        when = now_us() if at_us is None else at_us
        return self.engine.apply(TENANT, event_id or f"event-{seq}", seq, when, "tester", encode(command))

    def must(self, command: Mapping[str, Any], at_us: int | None = None) -> dict[str, Any]:
        """Apply a command that is not refused; its report."""
        report = json.loads(self.apply(command, at_us=at_us))
        assert report["status"] == "applied", report
        return report

    def issue(self, order: str, series: str, quantity: int, *, activate: bool = True) -> dict[str, list[bytes]]:
        """A new order of tea; its codes by face."""
        self.must({"command": "issue", "order": order, "series": series, "product": "tea", "quantity": quantity})
        if activate:
            self.must({"command": "activate", "scope": {"order": order}, "reason": "released"})
        return self.codes(order)

    def codes(self, order: str) -> dict[str, list[bytes]]:
        """Codes of an order by face, by row."""
        facts = json.loads(self.engine.order(TENANT, order))
        codes = {}
        for face, slot, key in self.engine.export_keys(TENANT, order):
            cipher = SlotCipher(facts["format"], slot, key)
            packed = cipher.encode_range(facts["first_serial"], facts["quantity"])
            width = cipher.code_len
            codes[face] = [packed[start : start + width] for start in range(0, len(packed), width)]
        return codes

    def scan(self, code: bytes, device: str | None = None, **context: Any) -> dict[str, Any]:
        """Scan as a consumer with a device id."""
        named = None if device is None else device.encode()
        return json.loads(self.engine.scan(TENANT, code, self.context(device=named, **context)))

    def lookup(self, code: bytes) -> dict[str, Any]:
        return json.loads(self.engine.lookup(TENANT, code))

    def order(self, order: str) -> dict[str, Any]:
        return json.loads(self.engine.order(TENANT, order))

    def status(self) -> dict[str, Any]:
        return json.loads(self.engine.status())


def open_series(name: str) -> dict[str, Any]:
    """The command that opens a series' first epoch."""
    code_format, level, pairing, faces = SERIES[name]
    return {
        "command": "open_key_space",
        "series": name,
        "epoch": 1,
        "domain": HOST,
        "format": code_format,
        "level": level,
        "pairing": pairing,
        "key_bits": 128,
        "nonce": "00112233445566778899aabbccddeeff",
        "faces": [{"face": face, "slot": slot} for face, slot in faces],
    }


def encode(command: Mapping[str, Any]) -> bytes:
    """The command as the engine takes it."""
    return json.dumps(command).encode()
