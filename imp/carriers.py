"""Foreign codes and other carriers: reading a file of texts that will stand for items without being our codes.

The file has one text per line: a replaced supplier's codes, EPC or TID of RFID tags, UIDs of NFC tags. Reading is the
dry run of an import: it changes nothing, gives every text in the form in which it will be stored and looked up, and
names each line that cannot be taken. Whether a text already stands for another item is known to the engine alone,
which refuses the import then.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from imp.codes import normalise_carrier
from imp.errors import InvalidInput

__all__ = ["REFUSED_LINES_MAX", "AliasLine", "AliasReading", "Carrier", "read_aliases"]

Carrier = Literal["text", "epc", "tid", "nfc_uid"]

REFUSED_LINES_MAX = 1_000
"""Refused lines that are kept; beyond that they are only counted."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class AliasLine(NamedTuple):
    """A line that cannot be taken. line: 1-based. text: as read, unprintable bytes escaped, at most 80 characters."""

    line: int
    text: str
    message: str


class AliasReading(NamedTuple):
    """What a file of foreign texts holds.

    texts: normalised, in file order, each once. lines_count: lines read, blank ones included. refused_count: lines
    that cannot be taken, of which `refused` keeps the first 1,000.
    """

    texts: list[str]
    refused: list[AliasLine]
    lines_count: int
    refused_count: int


def read_aliases(lines: Iterable[bytes | str], carrier: Carrier = "text", *, fold_case: bool = False) -> AliasReading:
    """Read texts, one per line; blank lines are skipped and a byte order mark is ignored.

    carrier: "text" keeps each text but for white space around it (`fold_case`: ASCII letters become upper case);
    "epc", "tid" and "nfc_uid" take hexadecimal digits, drop the separators between bytes and write upper case. Raises
    InvalidInput only for an unknown carrier; a bad line is reported, never raised.
    """
    _known(carrier)
    first_line: dict[str, int] = {}
    refused: list[AliasLine] = []
    lines_count = refused_count = 0
    for number, line in enumerate(lines, start=1):
        lines_count = number
        raw = line.encode() if isinstance(line, str) else line
        raw = raw.removeprefix(_BYTE_ORDER_MARK).strip() if number == 1 else raw.strip()
        if not raw:
            continue
        text, message = _text_of(raw, carrier, fold_case=fold_case)
        if not message and text in first_line:
            message = f"text: the same as line {first_line[text]}"
        if not message:
            first_line[text] = number
            continue
        refused_count += 1
        if len(refused) < REFUSED_LINES_MAX:
            refused.append(AliasLine(number, _shown(raw), message))
    return AliasReading(list(first_line), refused, lines_count, refused_count)


def _text_of(raw: bytes, carrier: Carrier, *, fold_case: bool) -> tuple[str, str]:
    """The normalised text and "", or "" and why not."""
    try:
        return normalise_carrier(carrier, raw, fold_case).decode(), ""
    except InvalidInput as error:
        return "", str(error)


def _known(carrier: Carrier) -> None:
    """Any text of an unknown carrier raises; ask once, so that it is not mistaken for a bad line."""
    try:
        normalise_carrier(carrier, b"")
    except InvalidInput as error:
        if error.field == "carrier":
            raise


def _shown(raw: bytes) -> str:
    text = raw.decode(errors="backslashreplace")
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text[:80])[:80]
