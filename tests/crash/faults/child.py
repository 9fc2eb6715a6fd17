"""A process that owns an engine and does what it is told: one JSON request per line in, one JSON answer per line out.

Run as a program, so that a test can kill it, limit it, or load a library into it. Bytes travel as Latin-1 text.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from imp.codes import SlotCipher
from imp.engine import EngineOptions, NativeEngine, ScanContext

CHUNK = 1_000


class Child:
    """The engine, and one method per request."""

    def __init__(self) -> None:
        self.engine: NativeEngine | None = None
        self.scanned = 0

    @property
    def opened(self) -> NativeEngine:
        assert self.engine is not None, "open first"
        return self.engine

    def open(self, path: str, secret: str, options: dict[str, Any]) -> None:
        self.engine = NativeEngine.open(path, bytes.fromhex(secret), EngineOptions(**options))

    def close(self) -> None:
        """Let the engine go, whatever state it is in: a poisoned one says so when it is closed."""
        engine, self.engine = self.opened, None
        engine.close()

    def apply(self, tenant: str, event_id: str, seq: int, at_us: int, command: dict[str, Any]) -> Any:
        return json.loads(self.opened.apply(tenant, event_id, seq, at_us, "tester", json.dumps(command).encode()))

    def applied(self, tenant: str, event_id: str) -> Any:
        report = self.opened.applied(tenant, event_id)
        return None if report is None else json.loads(report)

    def last_seq(self, tenant: str) -> int:
        return self.opened.last_seq(tenant)

    def order(self, tenant: str, order: str) -> Any:
        return json.loads(self.opened.order(tenant, order))

    def orders(self, tenant: str) -> Any:
        return json.loads(self.opened.orders(tenant))

    def catalogue(self, tenant: str) -> Any:
        return json.loads(self.opened.catalogue(tenant))

    def checkpoint(self, path: str) -> None:
        self.opened.checkpoint(path)

    def status(self) -> Any:
        return json.loads(self.opened.status())

    def durable(self) -> None:
        self.opened.durable()

    def lookup(self, tenant: str, text: str) -> Any:
        return json.loads(self.opened.lookup(tenant, text.encode()))

    def scan(self, tenant: str, text: str, context: dict[str, Any]) -> Any:
        return json.loads(self.opened.scan(tenant, text.encode(), scan_context(context)))

    def scan_many(self, tenant: str, texts: list[str], context: dict[str, Any]) -> str:
        """The rows of `Engine.scan_many`."""
        return self.opened.scan_many(tenant, [text.encode() for text in texts], scan_context(context)).decode("latin-1")

    def codes(self, tenant: str, order: str, face: str) -> list[str]:
        """The codes of one face of an order that skipped no serial."""
        codes, code_len = packed_codes(self.opened, tenant, order, face)
        return [codes[start : start + code_len].decode() for start in range(0, len(codes), code_len)]

    def load(self, tenant: str, order: str, threads: int) -> None:
        """Scan the codes of an order round and round in the background, as fast as it goes."""
        codes, code_len = packed_codes(self.opened, tenant, order, "outer")
        width = CHUNK * code_len

        def scan_on(device: int) -> None:
            context = ScanContext(device=b"device %d" % device)
            while True:
                for start in range(0, len(codes), width):
                    self.opened.scan_many(tenant, codes[start : start + width], context)
                    self.scanned += CHUNK

        for device in range(threads):
            threading.Thread(target=scan_on, args=(device,), daemon=True).start()

    def load_done(self) -> int:
        """How many scans the background has done, about."""
        return self.scanned

    def run(self, command: list[str]) -> None:
        """Run a program where this process lives: in its mount namespace."""
        subprocess.run(command, check=True, env={name: os.environ[name] for name in ("PATH",)})


def packed_codes(engine: NativeEngine, tenant: str, order: str, face: str) -> tuple[bytes, int]:
    """Codes one after the other, and the length of one."""
    about = json.loads(engine.order(tenant, order))
    slot, key = next((slot, key) for name, slot, key in engine.export_keys(tenant, order) if name == face)
    cipher = SlotCipher(about["format"], slot, key)
    return cipher.encode_range(about["first_serial"], about["quantity"]), cipher.code_len


def scan_context(fields: dict[str, Any]) -> ScanContext:
    for name in ("device", "idempotency_key", "caller"):
        if name in fields:
            fields[name] = fields[name].encode("latin-1")
    if "position" in fields:
        fields["position"] = tuple(fields["position"])
    return ScanContext(**fields)


def main() -> None:
    child = Child()
    for line in sys.stdin:
        request = json.loads(line)
        method: Callable[..., Any] = getattr(child, request.pop("do"))
        try:
            answer = {"answer": method(**request)}
        except Exception as error:  # noqa: BLE001 the parent judges it
            answer = {"error": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
