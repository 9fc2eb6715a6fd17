"""Goal: any number of Python threads share one engine and see what one after the other would have seen.

Method: real threads that begin together, on the same code, the same command, and an engine that is being closed.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from engine.brand import TENANT, Brand, encode, now_us, open_engine
from engine.rows import read_rows

from imp._core import Engine, ScanContext
from imp.errors import Conflict, EngineClosed

THREADS = 8
ROUNDS = 40


@pytest.fixture(params=["rocks", "memory"])
def brand(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Brand]:
    store: Literal["rocks", "memory"] = request.param
    engine = open_engine(tmp_path / "engine", store=store)
    brand = Brand(engine)
    brand.found(["pair", "solo"])
    yield brand
    engine.close()


def together(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """Run work(0), work(1) … in threads that begin at one moment; their results, or the first error."""
    barrier, results, errors = threading.Barrier(count), [None] * count, []

    def run(number: int) -> None:
        try:
            barrier.wait()
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def test_of_many_threads_on_one_code_exactly_one_device_is_first(brand: Brand) -> None:
    codes = brand.issue("o", "solo", ROUNDS)["outer"]
    for code in codes:
        answers = together(lambda number, code=code: [brand.scan(code, f"d{number}") for _ in range(3)])
        firsts = [number for number, told in enumerate(answers) if told[0]["is_first"]]
        assert len(firsts) == 1
        for number, told in enumerate(answers):
            assert {answer["is_first"] for answer in told} == {number in firsts}
            assert {answer["verdict"] for answer in told} == {"genuine" if number in firsts else "repeat"}
        counts = sorted(answer["scans"] for told in answers for answer in told)
        assert counts == [*range(1, 3 * THREADS + 1)]
        assert len({answer["first_at"] for told in answers for answer in told}) == 1
        assert brand.lookup(code)["faces"][0]["sessions"] == THREADS


def test_batches_that_leave_the_lock_of_the_interpreter_lose_no_scan(brand: Brand) -> None:
    codes = brand.issue("o", "pair", 50)["inner"]
    orders = [codes, codes[::-1]]

    def scan(number: int) -> list[list[Any]]:
        context = ScanContext(device=f"d{number}".encode())
        return [read_rows(brand.engine.scan_many(TENANT, orders[number % 2], context)) for _ in range(10)]

    told = together(scan, 4)
    for row, code in enumerate(codes):
        at = [row, len(codes) - 1 - row]
        answers = [[rows[at[number % 2]] for rows in batches] for number, batches in enumerate(told)]
        assert sorted(answer.scans for mine in answers for answer in mine) == [*range(1, 41)]
        assert [{answer.is_first for answer in mine} for mine in answers].count({True}) == 1
        (face,) = (face for face in brand.lookup(code)["faces"] if face["face"] == "inner")
        assert (face["scans"], face["sessions"]) == (40, 4)


def test_one_idempotency_key_raced_counts_once(brand: Brand) -> None:
    (code,) = brand.issue("o", "solo", 1)["outer"]
    answers = together(lambda _: brand.scan(code, "phone", idempotency_key=b"once"))
    assert {(answer["scans"], answer["is_first"]) for answer in answers} == {(1, True)}


def test_one_event_id_raced_is_applied_once_and_everyone_hears_the_same(brand: Brand) -> None:
    brand.issue("o", "solo", 100)
    for _ in range(10):
        seq = brand.engine.last_seq(TENANT) + 1
        freeze = encode({"command": "freeze", "scope": {"order": "o"}, "reason": f"{seq}"})
        reports = together(
            lambda _, seq=seq, freeze=freeze: brand.engine.apply(TENANT, f"e{seq}", seq, now_us(), "tester", freeze)
        )
        assert len(set(reports)) == 1
        assert json.loads(reports[0])["changed"] == 100
        assert brand.engine.last_seq(TENANT) == seq == brand.status()["ledger_leaves"]
    assert [hold["items"] for hold in brand.order("o")["holds"]] == [100] * 10


def test_one_seq_raced_by_different_commands_goes_to_one_of_them(brand: Brand) -> None:
    brand.issue("o", "solo", THREADS)
    seq = brand.engine.last_seq(TENANT) + 1

    def void(number: int) -> bool:
        command = encode({"command": "void", "scope": {"order": "o", "first": number, "count": 1}, "reason": "lost"})
        try:
            brand.engine.apply(TENANT, f"void-{number}", seq, now_us(), "tester", command)
        except Conflict:
            return False
        return True

    assert Counter(together(void)) == {True: 1, False: THREADS - 1}
    assert brand.order("o")["by_state"]["void"] == 1


def test_a_command_is_seen_whole_and_by_every_scan_after_its_answer(brand: Brand) -> None:
    codes = brand.issue("o", "solo", 2)["outer"]
    is_over = threading.Event()

    def command() -> None:
        try:
            for number in range(30):
                report = brand.must({"command": "freeze", "scope": {"order": "o"}, "reason": "leak"})
                assert brand.scan(codes[number % 2], "phone")["verdict"] == "frozen"
                brand.must({"command": "unfreeze", "hold": report["hold"], "reason": "found"})
                assert brand.scan(codes[number % 2], "phone")["verdict"] == "genuine"
        finally:
            is_over.set()

    def watch() -> None:
        while not is_over.is_set():
            order = brand.order("o")
            assert (order["by_state"]["frozen"], len(order["holds"])) in ((0, 0), (2, 1))
            assert brand.scan(codes[0], "phone")["verdict"] in ("genuine", "frozen")

    together(lambda number: watch() if number else command(), 3)


CALLS: dict[str, Callable[[Engine, bytes], Any]] = {
    "scan": lambda engine, code: engine.scan(TENANT, code, ScanContext(device=b"phone")),
    "scan_many": lambda engine, code: engine.scan_many(TENANT, [code] * 20, ScanContext(device=b"phone")),
    "lookup": lambda engine, code: engine.lookup(TENANT, code),
    "order": lambda engine, _: engine.order(TENANT, "o"),
    "durable": lambda engine, _: engine.durable(),
    "status": lambda engine, _: engine.status(),
    "metrics": lambda engine, _: engine.metrics(),
    "preview": lambda engine, _: engine.preview(TENANT, 1, b"{}"),
    "apply": lambda engine, _: engine.apply(
        TENANT, f"e{threading.get_ident()}-{now_us()}", engine.last_seq(TENANT) + 1, 1, "tester", b"{}"
    ),
}


def test_an_engine_closed_under_work_answers_or_says_that_it_is_closed(tmp_path: Path) -> None:
    """Every method at once, and `close` from two sides; afterwards the directory holds what was answered."""
    answered, calls = 0, [*CALLS.values(), CALLS["scan"], CALLS["scan_many"]]
    brand = Brand(open_engine(tmp_path / "engine"))
    brand.found(["solo"])
    (code,) = brand.issue("o", "solo", 1)["outer"]
    brand.engine.close()
    for _ in range(6):
        brand = Brand(open_engine(tmp_path / "engine"))
        assert brand.lookup(code)["faces"][0]["scans"] == answered
        work = partial(until_closed, brand, code, calls)
        answered += sum(together(work, len(calls) + 2))
        for call in CALLS.values():
            with pytest.raises(EngineClosed):
                call(brand.engine, code)
        brand.engine.close()


def until_closed(brand: Brand, code: bytes, calls: list[Callable[[Engine, bytes], Any]], number: int) -> int:
    """Work until the engine is closed, or close it; how many scans were recorded."""
    recorded = 0
    if number >= len(calls):
        threading.Event().wait(0.05)
        brand.engine.close()
        return 0
    try:
        while True:
            with suppress(Conflict):
                answer = calls[number](brand.engine, code)
            if calls[number] is CALLS["scan"]:
                recorded += json.loads(answer)["recorded"]
            elif calls[number] is CALLS["scan_many"]:
                recorded += sum(row.recorded for row in read_rows(answer))
    except EngineClosed:
        return recorded
