"""Codes through the seam: the properties every batch job relies on, and what is refused with which words."""

import concurrent.futures
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from imp import codes
from imp.codes import FF1, NotACode, SlotCipher, WordFilter
from imp.errors import InvalidInput

VECTORS = Path(__file__).parent.parent / "vectors"
FORMATS = {"base32": (1024, 2**60, 15), "digits": (100, 10**17, 20)}


@st.composite
def ciphers(draw: st.DrawFn) -> SlotCipher:
    name = draw(st.sampled_from(sorted(FORMATS)))
    key = draw(st.one_of(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32)))
    return SlotCipher(name, draw(st.integers(0, FORMATS[name][0] - 1)), key)


def numerals(number: int, radix: int, length: int) -> list[int]:
    return [number // radix**place % radix for place in reversed(range(length))]


# --- the general class ------------------------------------------------------------------------------------------------


def test_all_nist_samples() -> None:
    samples = json.loads((VECTORS / "nist_ff1_samples.json").read_bytes())["tests"]
    assert len(samples) == 9
    for sample in samples:
        ff1 = FF1(bytes.fromhex(sample["key"]), sample["radix"], bytes.fromhex(sample["tweak"]))
        assert ff1.encrypt(sample["plaintext"]) == sample["ciphertext"]
        assert ff1.decrypt(sample["ciphertext"]) == sample["plaintext"]


def test_all_wycheproof_vectors_pass_or_are_refused_for_a_stated_reason() -> None:
    groups = json.loads((VECTORS / "wycheproof_aes_ff1_radix10.json").read_bytes())["testGroups"]
    counts = {"passed": 0, "invalid": 0, "at least 1000000": 0, "below 2^127": 0}
    for group in groups:
        for test in group["tests"]:
            outcome = wycheproof_outcome(group["radix"], test)
            reason = next((part for part in ("at least 1000000", "below 2^127") if part in outcome), "invalid")
            counts["passed" if outcome == "passed" else "invalid" if test["result"] == "invalid" else reason] += 1
    assert counts == {"passed": 3_267, "invalid": 533, "at least 1000000": 12, "below 2^127": 33}


def wycheproof_outcome(radix: int, test: dict[str, Any]) -> str:
    """ "passed", or the message of the refusal."""
    try:
        ff1 = FF1(bytes.fromhex(test["key"]), radix, bytes.fromhex(test["tweak"]))
        cipher = ff1.encrypt(test["msg"])
    except InvalidInput as error:
        return str(error)
    assert test["result"] == "valid"
    assert cipher == test["ct"]
    assert ff1.decrypt(cipher) == test["msg"]
    return "passed"


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        (lambda: FF1(b"", 10), "key"),
        (lambda: FF1(bytes(17), 10), "key"),
        (lambda: FF1(bytes(16), 1), "radix"),
        (lambda: FF1(bytes(16), 65_537), "radix"),
        (lambda: FF1(bytes(16), -1), "radix"),
        (lambda: FF1(bytes(16), 2**200), "radix"),
        (lambda: FF1(bytes(16), 10, bytes(65_536)), "tweak"),
        (lambda: FF1(bytes(16), 10).encrypt([1] * 5), "numerals"),
        (lambda: FF1(bytes(16), 10).encrypt([1] * 77), "numerals"),
        (lambda: FF1(bytes(16), 10).encrypt([0, 1, 2, 3, 4, 10]), "numerals"),
        (lambda: FF1(bytes(16), 10).decrypt([0, 1, 2, 3, 4, -1]), "numerals"),
        (lambda: SlotCipher("base64", 0, bytes(16)), "format"),
        (lambda: SlotCipher("base32", 1024, bytes(16)), "slot"),
        (lambda: SlotCipher("digits", 100, bytes(16)), "slot"),
        (lambda: SlotCipher("digits", 0, bytes(24)), "key"),
        (lambda: SlotCipher("base32", 0, bytes(16)).encode(2**60), "serial"),
        (lambda: SlotCipher("base32", 0, bytes(16)).encode(-1), "serial"),
        (lambda: SlotCipher("base32", 0, bytes(16)).encode_range(2**60 - 1, 2), "first"),
        (lambda: SlotCipher("base32", 0, bytes(16)).encode_range(0, codes.BATCH_CODES_MAX + 1), "count"),
        (lambda: SlotCipher("base32", 0, bytes(16)).encode_range(0, 1, 0), "threads"),
        (lambda: SlotCipher("base32", 0, bytes(16)).encode_range(0, 1, threads=257), "threads"),
        (lambda: SlotCipher("base32", 0, bytes(16)).decode_many(bytes(14)), "texts"),
        (lambda: SlotCipher("base32", 0, bytes(16)).decode_many([], -1), "threads"),
        (lambda: codes.guess_odds("base32", -1), "planned"),
        (lambda: codes.normalise_alias(b"  "), "text"),
        (lambda: codes.normalise_alias(b"x" * 65), "text"),
        (lambda: codes.normalise_carrier("barcode", b"x"), "carrier"),
        (lambda: WordFilter(2), "word_list"),
    ],
)
def test_refusals_name_the_field(refused: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        refused()
    assert raised.value.field == field
    assert str(raised.value).startswith(f"{field}: ")


def test_only_bytes_are_texts() -> None:
    cipher = SlotCipher("base32", 0, bytes(16))
    with pytest.raises(TypeError):
        cipher.decode_many([1])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="uint8"):
        cipher.decode_many(np.zeros(15, dtype="u2"))
    with pytest.raises(TypeError):
        cipher.decode_many("0" * 15)  # type: ignore[arg-type]


# --- one code and many ------------------------------------------------------------------------------------------------


@given(ciphers(), st.integers(0), st.integers(0, 200), st.integers(1, 4))
def test_batches_equal_single_calls(cipher: SlotCipher, first: int, count: int, threads: int) -> None:
    first %= cipher.domain - count
    buffer = cipher.encode_range(first, count, threads)
    texts = [buffer[at : at + cipher.code_len] for at in range(0, len(buffer), cipher.code_len)]
    serials = list(range(first, first + count))
    assert texts == [cipher.encode(serial) for serial in serials]
    assert [cipher.decode(text) for text in texts] == serials
    for given_texts in (buffer, bytearray(buffer), memoryview(buffer), np.frombuffer(buffer, "u1"), texts):
        assert np.frombuffer(cipher.decode_many(given_texts, threads), "<u8").tolist() == serials


@given(ciphers(), st.integers(0))
def test_a_code_is_the_general_ff1_in_a_frame(cipher: SlotCipher, serial: int) -> None:
    key, slot = bytes(range(16)), cipher.slot
    radix, length = (32, 12) if cipher.format == "base32" else (10, 17)
    serial %= cipher.domain
    tweak = b"imp1" + bytes([cipher.format == "digits"]) + slot.to_bytes(2)
    body = FF1(key, radix, tweak).encrypt(numerals(serial, radix, length))
    parsed = codes.parse(SlotCipher(cipher.format, slot, key).encode(serial))
    assert (parsed.failure, parsed.format, parsed.slot) == (None, cipher.format, slot)
    assert parsed.body is not None
    assert numerals(parsed.body, radix, length) == body


@given(st.binary(max_size=80))
def test_any_bytes_have_an_answer(text: bytes) -> None:
    cipher = SlotCipher("digits", 5, bytes(16))
    [packed] = np.frombuffer(cipher.decode_many([text]), "<u8").tolist()
    parsed = codes.parse(text)
    expected = cipher.decode(text)
    assert (codes.why_not(packed) is None) == (expected is not None)
    if expected is None:
        ours = parsed.failure is None
        assert codes.why_not(packed) is (
            NotACode.OTHER_SLOT if ours else NotACode.MISTYPED if parsed.failure == "mistyped" else NotACode.MALFORMED
        )
    if parsed.failure is None:
        assert codes.parse(parsed.text.encode()) == parsed


@given(ciphers(), st.integers(0), st.data())
def test_one_wrong_character_is_mistyped(cipher: SlotCipher, serial: int, data: st.DataObject) -> None:
    code = cipher.encode(serial % cipher.domain)
    at = data.draw(st.integers(0, len(code) - 1))
    alphabet = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[: 32 if cipher.format == "base32" else 10]
    wrong = data.draw(st.sampled_from([byte for byte in alphabet if byte != code[at]]))
    text = code[:at] + bytes([wrong]) + code[at + 1 :]
    assert codes.parse(text).failure == "mistyped"
    assert cipher.decode(text) is None


def test_results_of_a_batch_tell_why_not() -> None:
    cipher = SlotCipher("base32", 1, bytes(16))
    code, other = cipher.encode(7), SlotCipher("base32", 2, bytes(16)).encode(7)
    mistyped = code[:-1] + (b"0" if code[-1:] != b"0" else b"1")
    packed = np.frombuffer(cipher.decode_many([code, code.lower(), mistyped, other, b"hello"]), "<u8").tolist()
    assert packed == [7, 7, NotACode.MISTYPED, NotACode.OTHER_SLOT, NotACode.MALFORMED]
    assert [codes.why_not(number) for number in packed[:2]] == [None, None]
    assert min(NotACode) > 2**60


def test_buffers_are_viewed_by_numpy_and_arrow_without_a_copy() -> None:
    cipher = SlotCipher("base32", 3, bytes(16))
    buffer = cipher.encode_range(100, 50)
    column = np.frombuffer(buffer, dtype=f"S{cipher.code_len}")
    assert column[7] == cipher.encode(107)
    assert column.__array_interface__["data"][0] == np.frombuffer(buffer, "u1").__array_interface__["data"][0]
    array = pa.Array.from_buffers(pa.binary(cipher.code_len), 50, [None, pa.py_buffer(buffer)])
    assert array[49].as_py() == cipher.encode(149)
    assert array.buffers()[1].address == column.__array_interface__["data"][0]


def test_batches_of_several_threads_share_a_cipher() -> None:
    cipher = SlotCipher("digits", 3, bytes(32))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda part: cipher.encode_range(part * 10_000, 10_000, 2), range(8)))
    assert b"".join(parts) == cipher.encode_range(0, 80_000)


def test_other_threads_run_during_a_batch() -> None:
    cipher = SlotCipher("base32", 3, bytes(16))
    steps = 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        batch = pool.submit(cipher.encode_range, 0, 2_000_000)
        while not batch.done():
            time.sleep(0.001)
            steps += 1
    # Were the GIL held, the first sleep would end with the batch.
    assert steps > 3


def test_the_largest_batch() -> None:
    cipher = SlotCipher("base32", 3, bytes(16))
    buffer = cipher.encode_range(0, codes.BATCH_CODES_MAX, 2)
    assert buffer[-15:] == cipher.encode(codes.BATCH_CODES_MAX - 1)


# --- around codes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "failure"),
    [(b"", "empty"), (b" - ", "empty"), (b"-" * 65, "too_long"), (b"hello", "length"), (b"U" * 15, "alphabet")],
)
def test_parse_says_what_is_wrong(text: bytes, failure: str) -> None:
    parsed = codes.parse(text)
    assert (parsed.failure, parsed.format, parsed.slot, parsed.body, parsed.text) == (failure, None, None, None, "")


def test_parse_reads_what_people_write() -> None:
    code = SlotCipher("base32", 9, bytes(16)).encode(123_456).decode()
    written = "-".join(code[at : at + 4] for at in range(0, 15, 4)).lower().replace("0", "o").replace("1", "l")
    assert codes.parse(f" {written} ".encode()) == codes.parse(code.encode())


def test_odds_are_computed_and_judged() -> None:
    assert codes.guess_odds("base32", 2**20) == (2.0**40, "ok")
    assert codes.guess_odds("digits", 10**11 + 1)[1] == "warn"
    assert codes.guess_odds("digits", 10**13 + 1)[1] == "refuse"
    assert codes.guess_odds("digits", 0) == (float("inf"), "ok")


def test_words_are_recognised_by_version() -> None:
    assert WordFilter(1).matches(b"000FVCK00000000")
    assert not WordFilter(1).matches(b"000000000000000")
    assert not WordFilter(0).matches(b"000FVCK00000000")


@given(st.binary(max_size=100))
def test_alias_hash_is_the_importers_xxhash(text: bytes) -> None:
    assert codes.alias_hash(text) == xxhash.xxh3_128_intdigest(text)


def test_secrets_do_not_show() -> None:
    assert repr(SlotCipher("base32", 4, b"0123456789abcdef")) == 'SlotCipher(format="base32", slot=4)'
    assert "30313233" not in repr(FF1(b"0123456789abcdef", 10))


def test_raw_aes_is_bounded() -> None:
    assert len(codes.aes_blocks(bytes(16), 65)) == 16
    assert codes.aes_blocks(bytes(16), 1).hex() == "66e94bd4ef8a2c3b884cfa59ca342b2e"  # FIPS 197: AES-128 of zeros
    with pytest.raises(InvalidInput):
        codes.aes_blocks(bytes(16), 2**32 + 1)


def test_the_documented_example_is_true() -> None:
    cipher = SlotCipher("base32", 0, bytes(16))
    buffer = cipher.encode_range(0, 3)
    assert codes.__doc__ is not None
    assert str([bytes(text) for text in np.frombuffer(buffer, dtype="S15")])[1:-1] in codes.__doc__
