"""Job: freezing one order of many codes, beside the flush that every durable command waits for."""

import time
from pathlib import Path

import msgspec

from bench.engine.scanning import device
from bench.engine.stock import TENANT, Stock, opened, order_name
from bench.processes import answer_job
from imp.commands import Activate, Freeze, Scope, Unfreeze, Void
from imp.engine import NativeEngine
from imp.results import Order


class Freezes(msgspec.Struct, frozen=True):
    path: str
    quantity: int
    rounds: int


class Frozen(msgspec.Struct, frozen=True):
    """Times in ms, one a round. frozen: items of one freeze."""

    freeze_ms: list[float]
    unfreeze_ms: list[float]
    flush_ms: list[float]
    frozen: int


def measure(asked: Freezes) -> Frozen:
    """An order of which three quarters are active and every thousandth code is void, frozen and released in turns."""
    found = Frozen([], [], [], asked.quantity)
    with opened(Path(asked.path) / "engine", create=True) as stock:
        _prepare(stock, asked.quantity)
        whole = Scope(order=order_name(0))
        for number in range(asked.rounds):
            found.flush_ms.append(_flush(stock.engine, stock.cipher.encode(number)) * 1_000)
            found.freeze_ms.append(stock.apply(Freeze(scope=whole, reason="measured")) * 1_000)
            order = msgspec.json.decode(stock.engine.order(TENANT, order_name(0)), type=Order)
            [hold] = order.holds
            found.unfreeze_ms.append(stock.apply(Unfreeze(hold=hold.hold, reason="measured")) * 1_000)
    return msgspec.structs.replace(found, frozen=order.by_state.frozen)


def _prepare(stock: Stock, quantity: int) -> None:
    stock.issue(quantity, active=False)
    cipher = stock.cipher
    void = [cipher.encode(serial).decode() for serial in range(0, quantity, max(1_000, quantity // 100_000))]
    stock.apply(Activate(scope=Scope(order=order_name(0), first=0, count=quantity * 3 // 4), reason="delivered"))
    stock.apply(Void(scope=Scope(codes=void), reason="spoilt"))


def _flush(engine: NativeEngine, code: bytes) -> float:
    """Seconds until one scan's write is on disk."""
    engine.durable()
    engine.scan(TENANT, code, device(1))
    began = time.perf_counter()
    engine.durable()
    return time.perf_counter() - began


if __name__ == "__main__":
    answer_job(Freezes, measure)
