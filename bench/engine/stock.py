"""An engine directory stocked with active codes, opened without a governance database as a batch job does."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from imp.codes import SlotCipher
from imp.commands import (
    CODES_PER_ORDER_MAX,
    Activate,
    Command,
    FaceSlot,
    Issue,
    OpenKeySpace,
    Scope,
    SetDomain,
    SetProduct,
    encode,
)
from imp.engine import EngineOptions, NativeEngine
from imp.results import report_of

TENANT, HOST, SERIES, PRODUCT = "bench", "id.bench.example", "series", "tea"
SECRET = bytes(range(32))
SLOT = 1


class Stock:
    """An open engine and what a benchmark needs of it: its codes' cipher, and commands with their times."""

    def __init__(self, engine: NativeEngine) -> None:
        self.engine = engine
        self._seq = engine.last_seq(TENANT)

    @property
    def cipher(self) -> SlotCipher:
        """The cipher of the series' codes."""
        [(_face, slot, key)] = self.engine.export_keys(TENANT, order_name(0))
        return SlotCipher("base32", slot, key)

    def apply(self, command: Command) -> float:
        """Seconds that one command takes from call to durable answer; raises Refused."""
        text, event_id, at_us = encode(command), secrets.token_hex(16), time.time_ns() // 1_000
        self._seq += 1
        began = time.perf_counter()
        report = self.engine.apply(TENANT, event_id, self._seq, at_us, "bench", text)
        took = time.perf_counter() - began
        report_of(report)
        return took

    def issue(self, issued: int, *, active: bool = True) -> None:
        """Issue that many codes in as few orders as the limit allows, and activate them."""
        self.apply(SetDomain(host=HOST))
        self.apply(SetProduct(product=PRODUCT, name="明前龙井 绿茶 250克", gtin="6901234500011", brand="青山茶业"))
        self.apply(
            OpenKeySpace(
                series=SERIES,
                epoch=0,
                domain=HOST,
                format="base32",
                level="item",
                pairing="single",
                key_bits=128,
                nonce=secrets.token_hex(16),
                faces=[FaceSlot("outer", SLOT)],
            )
        )
        for number, first in enumerate(range(0, issued, CODES_PER_ORDER_MAX)):
            order, quantity = order_name(number), min(CODES_PER_ORDER_MAX, issued - first)
            self.apply(Issue(order=order, series=SERIES, quantity=quantity, product=PRODUCT, lot="LJ250406"))
            if active:
                self.apply(Activate(scope=Scope(order=order), reason="delivered"))


def order_name(number: int) -> str:
    """Id of the stock's order with that number."""
    return f"order-{number}"


@contextmanager
def opened(path: Path, *, create: bool = False) -> Iterator[Stock]:
    """The stock in `path` while the block runs."""
    engine = NativeEngine.open(str(path), SECRET, EngineOptions(create=create))
    try:
        yield Stock(engine)
    finally:
        engine.close()


@contextmanager
def stocked(path: Path, issued: int) -> Iterator[Stock]:
    """A new stock with `issued` active codes."""
    with opened(path, create=True) as stock:
        stock.issue(issued)
        yield stock


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of this process, MiB: now, and at its largest."""

    now_mib: float
    peak_mib: float


def memory() -> Memory:
    """As the kernel counts it (VmRSS, VmHWM of proc(5))."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return Memory(int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024)
