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
from imp.engine import Engine

CODES = 2_000_000
SCANS = 100_000
COMMANDS = 30
BLOCKS_PER_CODE = 10

_folder = click.Path(path_type=Path, exists=True, file_okay=False)


class Measure(msgspec.Struct, frozen=True):
    """One figure. durability: what had been promised to survive when the time was taken."""

    measure: str
    value: float
    unit: str
    durability: str = "none"


@click.command("bench")
@click.option("--dir", "folder", type=_folder, help="Folder on the disk to measure [the one for temporary files].")
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


def _took_s(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _codes() -> Iterator[Measure]:
    cipher = SlotCipher("base32", 0, secrets.token_bytes(16))
    codes = cipher.encode_range(0, CODES)
    yield Measure("encode", CODES / _took_s(lambda: cipher.encode_range(0, CODES)), "codes/s")
    yield Measure("decode", CODES / _took_s(lambda: cipher.decode_many(codes)), "codes/s")
    limit = CODES / _took_s(lambda: aes_blocks(secrets.token_bytes(16), CODES * BLOCKS_PER_CODE))
    yield Measure("encode, limit by raw AES", limit, "codes/s")


def _engine(folder: Path | None) -> Iterator[Measure]:
    place = tempfile.TemporaryDirectory(dir=folder, prefix="imp-bench-")
    with place, Engine.open(Path(place.name) / "data") as engine:
        engine.domain("bench.example")
        engine.series("series", domain="bench.example")
        issued_s = _took_s(lambda: engine.issue("order", series="series", quantity=CODES))
        yield Measure(f"issue {CODES:,} codes", issued_s * 1_000, "ms", "durable")
        activated_s = _took_s(lambda: engine.activate("order", reason="bench"))
        yield Measure(f"activate {CODES:,} codes", activated_s * 1_000, "ms", "durable")
        yield from _scans(engine)
        yield _commands(engine)


def _scans(engine: Engine) -> Iterator[Measure]:
    codes = engine.codes("order")[: SCANS * 15]
    yield Measure("first scans", SCANS / _took_s(lambda: engine.scan_many(codes)), "scans/s", "wal")
    yield Measure("repeated scans", SCANS / _took_s(lambda: engine.scan_many(codes)), "scans/s", "wal")
    ((_, slot, _key),) = engine.export_keys("order")
    forged = SlotCipher("base32", slot, secrets.token_bytes(16)).encode_range(0, SCANS)
    yield Measure("forged codes", SCANS / _took_s(lambda: engine.scan_many(forged)), "scans/s")


def _commands(engine: Engine) -> Measure:
    """Single items frozen one after the other."""
    items = [("order", index, 1) for index in range(COMMANDS)]
    times_s = [_took_s(lambda item=item: engine.freeze(item, reason="bench")) for item in items]
    return Measure("freeze one item, median", statistics.median(times_s) * 1_000, "ms", "durable")
