"""Drive an engine in a process of its own: the parent's side of child.py, and a small brand to try it on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from crash.faults import child

import imp
from imp.engine import EngineOptions, NativeEngine

SECRET = bytes(range(32))
TENANT = "brand"
AT_US = 1_700_000_000_000_000  # 14 November 2023: what expires soon after is expired
ROW = np.dtype(
    [("verdict", "u1"), ("is_first", "u1"), ("recorded", "u1"), ("reason", "u1"), ("scans", "<u4"), ("first", "<i8")]
)
CHUNK = 1_000
# The child is a program outside the package; it finds the very one that is tested here.
PYTHONPATH = str(Path(imp.__file__).parent.parent)


class Raised(Exception):
    """What the child raised: `kind` is the class of the error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class Driven:
    """An engine in a child process, which is killed in the end whatever happens.

    prefix: a command line that runs the child, as `unshare` does. environment: added to this process's own.
    """

    def __init__(self, path: Path, prefix: Sequence[str] = (), **environment: str) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [*prefix, sys.executable, child.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": PYTHONPATH} | environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and not pipe.closed:
                pipe.close()

    def ask(self, do: str, **request: Any) -> Any:
        """One request; what the child raises, this raises."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the child died of {do}, exit code {self.process.wait()}"
        answer = json.loads(line)
        if "error" in answer:
            raise Raised(answer["error"], answer["message"])
        return answer["answer"]

    def open(self, **options: Any) -> Self:
        """Open the directory, or make it; the child does not outlive a failure."""
        try:
            self.ask("open", path=str(self.path), secret=SECRET.hex(), options={"create": True, **options})
        except BaseException:
            self.kill()
            raise
        return self

    def close(self) -> None:
        self.ask("close")

    def apply(self, command: dict[str, Any], event_id: str | None = None, tenant: str = TENANT) -> Any:
        """Apply under the next seq; the report, which must not be a refusal."""
        seq = self.ask("last_seq", tenant=tenant) + 1
        event_id = event_id or f"event-{seq}"
        report = self.ask("apply", tenant=tenant, event_id=event_id, seq=seq, at_us=AT_US, command=command)
        assert report["status"] == "applied", report
        return report

    def found_brand(self, quantity: int = 50_000) -> list[str]:
        """A domain, a product, a series and an active order `o`; its codes."""
        self.apply({"command": "set_domain", "host": "c.example"})
        self.apply({"command": "set_product", "product": "tea", "gtin": "6901234567892", "name": "茶"})
        self.apply(open_key_space("s", [{"face": "outer", "slot": 1}]))
        self.apply({"command": "issue", "order": "o", "series": "s", "product": "tea", "quantity": quantity})
        self.apply({"command": "activate", "scope": {"order": "o"}, "reason": "released"})
        return self.codes("o")

    def codes(self, order: str, face: str = "outer", tenant: str = TENANT) -> list[str]:
        """The codes of one face of an order that skipped no serial."""
        return self.ask("codes", tenant=tenant, order=order, face=face)

    def scan(self, text: str, device: str = "phone", **context: Any) -> Any:
        return self.ask("scan", tenant=TENANT, text=text, context={"device": device, **context})

    def scan_many(self, texts: Sequence[str], device: str = "phone", **context: Any) -> np.ndarray:
        rows = self.ask("scan_many", tenant=TENANT, texts=list(texts), context={"device": device, **context})
        return np.frombuffer(rows.encode("latin-1"), ROW)

    def scan_until_unrecorded(self, codes: Sequence[str]) -> int:
        """Scan one code after the other until one is answered unrecorded; how many were recorded before it."""
        for start in range(0, len(codes), CHUNK):
            recorded = self.scan_many(codes[start : start + CHUNK])["recorded"]
            if not recorded.all():
                count = int(recorded.argmin())
                assert not recorded[count:].any(), "a scan was recorded after one that could not be"
                return start + count
        raise AssertionError("every scan was recorded")

    def counts(self, codes: Sequence[str]) -> list[int]:
        """Scans that each code has, by looking."""
        chunks = (codes[start : start + CHUNK] for start in range(0, len(codes), CHUNK))
        return [count for chunk in chunks for count in self.scan_many(chunk, count=False)["scans"].tolist()]

    def status(self) -> Any:
        return self.ask("status")

    def active(self, order: str = "o") -> int:
        """Active items of an order."""
        return self.ask("order", tenant=TENANT, order=order)["by_state"]["active"]


def open_key_space(series: str, faces: Iterable[dict[str, Any]], **other: Any) -> dict[str, Any]:
    """The command that opens the first epoch of a series."""
    usual = {"epoch": 1, "domain": "c.example", "format": "base32", "level": "item", "pairing": "single"}
    faces = list(faces)
    nonce = "00112233445566778899aabbccddeeff"
    return {"command": "open_key_space", "series": series, **usual, "nonce": nonce, "faces": faces, **other}


def reopened(path: Path, secret: bytes = SECRET, **options: Any) -> NativeEngine:
    """Open an existing directory in this process."""
    return NativeEngine.open(str(path), secret, EngineOptions(**options))
