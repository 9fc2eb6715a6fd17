"""Codes per second on one core, in one run: ours, the raw AES rate that bounds them, and what people use instead.

    pytest bench/test_codes.py

Every line runs on one thread and is timed in CPU seconds; the best of several rounds counts, because other work on the
machine only ever slows a round down. The table at the end gives each rate beside ours for the same direction. What
each peer does:

- aes limit: nothing but the ten AES blocks that FF1 needs per code, 64 side by side
- fastfpe, ff3: the same kind of permutation (FF1 in Rust, FF3-1 in Python), one text per call; no slot, no check
- sqids, hashids: reversible ids without a key; anybody can read and forge them
- fastnanoid, uuid_utils: random ids; not reversible, so every one must be stored before it can be recognised
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import fastfpe
import fastnanoid
import hashids
import pytest
import sqids
import uuid_utils
from ff3 import FF3Cipher
from pytest_benchmark.fixture import BenchmarkFixture

from imp.codes import SlotCipher, aes_blocks

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
TWEAK = b"imp1\0\0\0"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BLOCKS_PER_CODE = 10
BATCH = 1_000_000
BODY = slice(2, 14)

BASE32 = SlotCipher("base32", 0, KEY)
DIGITS = SlotCipher("digits", 0, KEY)


def base32_numerals(serial: int) -> str:
    """The serial as twelve symbols, the form in which text-based libraries take it."""
    return "".join(CROCKFORD[serial >> shift & 31] for shift in range(55, -1, -5))


def fastfpe_encrypt(text: str) -> str:
    return fastfpe.ff1.encrypt(KEY.hex(), TWEAK.hex(), CROCKFORD, text)


def fastfpe_decrypt(text: str) -> str:
    return fastfpe.ff1.decrypt(KEY.hex(), TWEAK.hex(), CROCKFORD, text)


@dataclass
class Case:
    """One line of the table: `run` handles `codes` codes."""

    name: str
    codes: int
    run: Callable[[], object]


def each(name: str, codes: int, call: Callable[[int], object]) -> Case:
    """A library that takes one number per call."""

    def run() -> None:
        for serial in range(codes):
            call(serial)

    return Case(name, codes, run)


def on_texts(name: str, texts: list[str], call: Callable[[str], object]) -> Case:
    """A library that takes one text per call."""

    def run() -> None:
        for text in texts:
            call(text)

    return Case(name, len(texts), run)


def encode_cases() -> list[Case]:
    ff3_cipher = FF3Cipher.withCustomAlphabet(KEY.hex(), "D8E7920AFA330A", CROCKFORD)
    plain = [base32_numerals(serial) for serial in range(20_000)]
    short, salted = sqids.Sqids(min_length=15), hashids.Hashids(salt="imp", min_length=15)
    return [
        Case("aes limit", BATCH, lambda: aes_blocks(KEY, BATCH * BLOCKS_PER_CODE)),
        Case("imp base32", BATCH, lambda: BASE32.encode_range(0, BATCH)),
        Case("imp digits", BATCH, lambda: DIGITS.encode_range(0, BATCH)),
        each("imp base32, one per call", 100_000, BASE32.encode),
        on_texts("fastfpe", plain, fastfpe_encrypt),
        on_texts("ff3", plain[:300], ff3_cipher.encrypt),
        each("sqids", 1_000, lambda serial: short.encode([serial])),
        each("hashids", 5_000, salted.encode),
        each("fastnanoid", 50_000, lambda _: fastnanoid.generate(size=15)),
        each("uuid_utils uuid4", 50_000, lambda _: str(uuid_utils.uuid4())),
        each("uuid_utils uuid7", 50_000, lambda _: str(uuid_utils.uuid7())),
    ]


def decode_cases() -> list[Case]:
    base32, digits = BASE32.encode_range(0, BATCH), DIGITS.encode_range(0, BATCH)
    listed = [base32[at : at + 15] for at in range(0, len(base32), 15)]
    ff3_cipher = FF3Cipher.withCustomAlphabet(KEY.hex(), "D8E7920AFA330A", CROCKFORD)
    bodies = [text[BODY].decode() for text in listed[:20_000]]
    short, salted = sqids.Sqids(min_length=15), hashids.Hashids(salt="imp", min_length=15)

    def decode_one_by_one() -> None:
        for text in listed[:100_000]:
            BASE32.decode(text)

    return [
        Case("aes limit", BATCH, lambda: aes_blocks(KEY, BATCH * BLOCKS_PER_CODE)),
        Case("imp base32", BATCH, lambda: BASE32.decode_many(base32)),
        Case("imp base32, list of bytes", BATCH, lambda: BASE32.decode_many(listed)),
        Case("imp digits", BATCH, lambda: DIGITS.decode_many(digits)),
        Case("imp base32, one per call", 100_000, decode_one_by_one),
        on_texts("fastfpe", bodies, fastfpe_decrypt),
        on_texts("ff3", bodies[:300], ff3_cipher.decrypt),
        on_texts("sqids", [short.encode([serial]) for serial in range(1_000)], short.decode),
        on_texts("hashids", [salted.encode(serial) for serial in range(2_000)], salted.decode),
    ]


@dataclass
class Table:
    """Rates by group in the order measured."""

    rates: dict[str, dict[str, float]] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        for group, rates in self.rates.items():
            ours, limit = rates.get("imp base32"), rates.get("aes limit")
            yield ""
            yield f"{group:<28}{'codes/s':>14}{'imp base32 =':>16}{'of the limit':>14}"
            for name, rate in rates.items():
                ratio = f"{ours / rate:,.1f} x" if ours else "-"
                share = f"{rate / limit:.1%}" if limit else "-"
                yield f"  {name:<26}{rate:>14,.0f}{ratio:>16}{share:>14}"


@pytest.fixture(scope="module")
def table(pytestconfig: pytest.Config) -> Iterator[Table]:
    """Collects the rates and prints them when the module is done."""
    table = Table()
    yield table
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(*table.lines(), sep="\n")


def measure(benchmark: BenchmarkFixture, table: Table, case: Case) -> None:
    benchmark.pedantic(case.run, rounds=5, warmup_rounds=1)
    if benchmark.stats is None:  # --benchmark-disable: each case has run once
        return
    rate = case.codes / benchmark.stats.stats.min
    benchmark.extra_info |= {"codes": case.codes, "codes_per_s": round(rate)}
    table.rates.setdefault(benchmark.group, {})[case.name] = rate


@pytest.mark.parametrize("case", encode_cases(), ids=lambda case: case.name)
@pytest.mark.benchmark(group="codes: encode", timer=time.process_time)
def test_encode(benchmark: BenchmarkFixture, table: Table, case: Case) -> None:
    measure(benchmark, table, case)


@pytest.mark.parametrize("case", decode_cases(), ids=lambda case: case.name)
@pytest.mark.benchmark(group="codes: decode", timer=time.process_time)
def test_decode(benchmark: BenchmarkFixture, table: Table, case: Case) -> None:
    measure(benchmark, table, case)


def test_the_closest_peer_does_the_same_work() -> None:
    """fastfpe's FF1 with our tweak gives our bodies; otherwise the lines above would compare different things."""
    for serial in (0, 1, 12_345_678_901, 2**60 - 1):
        assert BASE32.encode(serial)[BODY].decode() == fastfpe_encrypt(base32_numerals(serial))
