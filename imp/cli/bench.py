"""`imp bench`: what this machine does, in a few seconds. The full measurements beside their peers are `make bench`."""

import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec

from imp.cli import output
from imp.codes import SlotCipher, aes_blocks
from imp.engine import EngineOptions, NativeEngine, ScanContext
from imp.results import Order

CODES = 2_000_000
SCANS = 100_000
COMMANDS = 30
FORGED = 100_000
BLOCKS_PER_CODE = 10

_TENANT, _HOST, _ORDER = "bench", "bench.example", "order"


class Measure(msgspec.Struct, frozen=True):
    """One figure. durability: what had been promised to survive when the time was taken."""

    measure: str
    value: float
    unit: str
    durability: str = "none"


@click.command("bench")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder on the disk to measure.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def bench_(folder: Path | None, as_json: bool) -> None:
    """Measure codes, scans and commands on one thread, in a directory that is removed afterwards."""
    with output.busy("measuring"):
        found = [*_codes(), *_engine(folder)]
    if as_json:
        output.document(msgspec.json.encode(found))
        return
    rows = [(measure.measure, _short(measure.value), measure.unit, measure.durability) for measure in found]
    output.table("", ("measure", "value", "unit", "durability"), rows)


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _rate(work: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def _codes() -> Iterator[Measure]:
    cipher = SlotCipher("base32", 0, secrets.token_bytes(16))
    codes = cipher.encode_range(0, CODES)
    blocks = CODES * BLOCKS_PER_CODE
    yield Measure("encode", _rate(lambda: cipher.encode_range(0, CODES), CODES), "codes/s")
    yield Measure("decode", _rate(lambda: cipher.decode_many(codes), CODES), "codes/s")
    raw = _rate(lambda: aes_blocks(secrets.token_bytes(16), blocks), blocks)
    yield Measure("AES limit of encode", raw / BLOCKS_PER_CODE, "codes/s")


def _engine(folder: Path | None) -> Iterator[Measure]:
    with tempfile.TemporaryDirectory(dir=folder, prefix="imp-bench-") as place:
        engine = NativeEngine.open(str(Path(place) / "engine"), secrets.token_bytes(32), EngineOptions(create=True))
        try:
            yield from _measured(engine)
        finally:
            engine.close()


def _measured(engine: NativeEngine) -> Iterator[Measure]:
    steps = _Steps(engine)
    steps.apply({"command": "set_domain", "host": _HOST})
    steps.apply(
        {
            "command": "open_key_space",
            "series": "series",
            "epoch": 0,
            "domain": _HOST,
            "format": "base32",
            "level": "item",
            "pairing": "single",
            "key_bits": 128,
            "nonce": secrets.token_hex(16),
            "faces": [{"face": "outer", "slot": 1}],
        }
    )
    issue = {"command": "issue", "order": _ORDER, "series": "series", "quantity": CODES}
    yield Measure(f"issue {CODES:,} codes", steps.apply(issue), "ms", "durable")
    activate = {"command": "activate", "scope": {"order": _ORDER}, "reason": "bench"}
    yield Measure(f"activate {CODES:,} codes", steps.apply(activate), "ms", "durable")
    freezes = [
        steps.apply({"command": "freeze", "scope": {"order": _ORDER, "first": index, "count": 1}, "reason": "bench"})
        for index in range(COMMANDS)
    ]
    yield Measure("command, median", statistics.median(freezes), "ms", "durable")
    yield from _scans(engine)


class _Steps:
    """Commands one after the other, each with its time in ms."""

    def __init__(self, engine: NativeEngine) -> None:
        self._engine = engine
        self._seq = 0

    def apply(self, command: dict[str, object]) -> float:
        self._seq += 1
        text = msgspec.json.encode(command)
        began = time.perf_counter()
        report = self._engine.apply(_TENANT, secrets.token_hex(16), self._seq, time.time_ns() // 1_000, "bench", text)
        took_ms = (time.perf_counter() - began) * 1_000
        if msgspec.json.decode(report)["status"] != "applied":
            raise RuntimeError(report.decode())
        return took_ms


def _scans(engine: NativeEngine) -> Iterator[Measure]:
    (face, slot, key) = engine.export_keys(_TENANT, _ORDER)[0]
    first = msgspec.json.decode(engine.order(_TENANT, _ORDER), type=Order).first_serial
    codes = SlotCipher("base32", slot, key).encode_range(first + COMMANDS, SCANS)
    context = ScanContext(device=b"bench")
    yield Measure(
        f"first scans ({face} face)", _rate(lambda: engine.scan_many(_TENANT, codes, context), SCANS), "scans/s", "wal"
    )
    yield Measure("repeated scans", _rate(lambda: engine.scan_many(_TENANT, codes, context), SCANS), "scans/s", "wal")
    forged = SlotCipher("base32", slot, secrets.token_bytes(16)).encode_range(0, FORGED)
    yield Measure("forged codes", _rate(lambda: engine.scan_many(_TENANT, forged, context), FORGED), "scans/s")
