"""Reading files of foreign texts: one written form per carrier, every bad line named, nothing raised for content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp.carriers import REFUSED_LINES_MAX, AliasLine, read_aliases
from imp.codes import normalise_carrier
from imp.errors import InvalidInput


def test_texts_keep_their_case_unless_told_otherwise() -> None:
    assert read_aliases([b"aB-1\r\n", b" x \n"]).texts == ["aB-1", "x"]
    assert read_aliases([b"aB-1\r\n"], fold_case=True).texts == ["AB-1"]


def test_blank_lines_and_a_byte_order_mark_are_no_errors() -> None:
    reading = read_aliases(["\ufeffabc\n", "\n", "   \n", "防伪 1\n"])
    assert (reading.texts, reading.refused, reading.lines_count) == (["abc", "防伪 1"], [], 4)


def test_bad_lines_are_named_by_number() -> None:
    reading = read_aliases([b"one", b"two", b"one", b"t\x07", b"\xff", b"x" * 65, b"three"])
    assert reading.texts == ["one", "two", "three"]
    assert [line.line for line in reading.refused] == [3, 4, 5, 6]
    assert reading.refused[0] == AliasLine(3, "one", "text: the same as line 1")
    assert reading.refused[1].text == "t\\x07"
    assert "64 bytes" in reading.refused[3].message


def test_texts_that_fold_to_the_same_are_the_same() -> None:
    assert read_aliases([b"abc", b"ABC"]).refused_count == 0
    assert read_aliases([b"abc", b"ABC"], fold_case=True).refused_count == 1


def test_tags_have_one_written_form() -> None:
    assert read_aliases(["04:a2:24:62:e5:6f:80", "de-ad-be-ef"], "nfc_uid").texts == ["04A22462E56F80", "DEADBEEF"]
    assert read_aliases(["3034 257b f719 4e40 0000 1a85"], "epc").texts == ["3034257BF7194E4000001A85"]
    assert read_aliases(["E2003412 01234567"], "tid").texts == ["E200341201234567"]
    refused = read_aliases(["3034257BF7194E4000001A85", "E2"], "tid").refused
    assert [line.message for line in refused] == [
        "text: a TID has 16 to 64 hexadecimal digits in words of 4 and begins with E0 or E2"
    ] * 2


def test_many_bad_lines_are_counted_and_the_first_kept() -> None:
    reading = read_aliases(b"\x01" for _ in range(REFUSED_LINES_MAX + 5))
    assert (len(reading.refused), reading.refused_count) == (REFUSED_LINES_MAX, REFUSED_LINES_MAX + 5)


def test_an_unknown_carrier_is_the_callers_error() -> None:
    with pytest.raises(InvalidInput, match="carrier"):
        read_aliases([], "barcode")  # type: ignore[arg-type]


@given(st.lists(st.binary(max_size=70), max_size=20), st.sampled_from(["text", "epc", "tid", "nfc_uid"]), st.booleans())
def test_every_line_is_taken_refused_or_blank(lines: list[bytes], carrier: str, fold_case: bool) -> None:
    reading = read_aliases(lines, carrier, fold_case=fold_case)  # type: ignore[arg-type]
    assert reading.lines_count == len(lines)
    assert len(reading.texts) == len(set(reading.texts))
    assert len(reading.texts) + reading.refused_count <= len(lines)
    for text in reading.texts:
        assert normalise_carrier(carrier, text.encode(), fold_case).decode() == text
    assert all(len(line.text) <= 80 and line.text.isprintable() for line in reading.refused)
