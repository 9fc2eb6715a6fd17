"""Job: the time of each single `scan` call, with or without commands that are flushed to disk meanwhile."""

import gc
import threading
import time
from pathlib import Path
from statistics import median

import msgspec

from bench.engine import mix
from bench.engine.scanning import CODES_PER_CALL, device, scan_all
from bench.engine.stock import TENANT, Stock, order_name, stocked
from bench.latency import Latency, latency_of
from bench.processes import answer_job
from imp.commands import Freeze, Scope
from imp.engine import ScanContext

_WARM_UP = 20_000


class Calls(msgspec.Struct, frozen=True):
    path: str
    issued: int
    seconds: float
    scans_max: int
    commands: bool


class Called(msgspec.Struct, frozen=True):
    """scan: of single calls. commands: applied and flushed meanwhile; command_ms: median of one."""

    scan: Latency
    commands: int
    command_ms: float


class _Commands(threading.Thread):
    """Freezes single items one after the other, each flushed before the next."""

    def __init__(self, stock: Stock) -> None:
        super().__init__(name="commands", daemon=True)
        self._stock = stock
        self._stop_wanted = threading.Event()
        self.seconds: list[float] = []

    def run(self) -> None:
        while not self._stop_wanted.is_set():
            scope = Scope(order=order_name(0), first=len(self.seconds), count=1)
            self.seconds.append(self._stock.apply(Freeze(scope=scope, reason="measured")))

    def finish(self) -> None:
        """Stop after the command under way."""
        self._stop_wanted.set()
        self.join()


def measure(asked: Calls) -> Called:
    """Stock, warm up, then scan one by one for the time asked."""
    with stocked(Path(asked.path) / "engine", asked.issued) as stock:
        cipher = stock.cipher
        warm = mix.draw(cipher, asked.issued, _WARM_UP, touched=0, seed=1)
        scan_all(stock.engine, warm.texts, first_device=1)
        drawn = mix.draw(cipher, asked.issued, asked.scans_max, touched=warm.touched, seed=2)
        codes = [drawn.texts[at : at + mix.CODE_BYTES] for at in range(0, len(drawn.texts), mix.CODE_BYTES)]
        contexts = [device(1_000_000 + number) for number in range(len(codes) // CODES_PER_CALL + 1)]
        commands = _Commands(stock)
        if asked.commands:
            commands.start()
        gc.disable()  # a collection is Python's pause, not the engine's
        times_ns = _scan_each(stock, codes, contexts, asked.seconds)
        gc.enable()
        if asked.commands:
            commands.finish()
    command_ms = median(commands.seconds) * 1_000 if commands.seconds else 0.0
    return Called(latency_of(times_ns), len(commands.seconds), command_ms)


def _scan_each(stock: Stock, codes: list[bytes], contexts: list[ScanContext], seconds: float) -> list[int]:
    scan, clock = stock.engine.scan, time.perf_counter_ns
    times_ns: list[int] = []
    deadline_ns = clock() + int(seconds * 1e9)
    for number, code in enumerate(codes):
        context = contexts[number // CODES_PER_CALL]
        began_ns = clock()
        scan(TENANT, code, context)
        ended_ns = clock()
        times_ns.append(ended_ns - began_ns)
        if ended_ns > deadline_ns:
            break
    return times_ns


if __name__ == "__main__":
    answer_job(Calls, measure)
