"""Codes: serial numbers turned into texts nobody can guess, and back. Pure computation, no engine needed.

A code is slot + body + check. The slot names a key, the body is the serial under FF1 (NIST SP 800-38G), the check
finds typing errors. One call handles up to 10,000,000 codes with the GIL released, in buffers that NumPy and Arrow
view without a copy:

    >>> cipher = SlotCipher("base32", 0, bytes(16))
    >>> buffer = cipher.encode_range(0, 3)
    >>> np.frombuffer(buffer, dtype=f"S{cipher.code_len}")
    array([b'00XSSEKP23D1M4W', b'00TK6S342NAEKW8', b'00SN34VN0SFRTXQ'], dtype='|S15')
    >>> np.frombuffer(cipher.decode_many(buffer), dtype="<u8")
    array([0, 1, 2], dtype=uint64)

Texts that are not codes are values, never exceptions: `decode` gives None, `decode_many` one of the `NotACode`
numbers, `parse` says what is wrong. Arguments outside what is accepted raise `imp.errors.InvalidInput`.
Files of foreign codes are read by `imp.carriers`.
"""

from enum import IntEnum

from imp._core import (
    BATCH_CODES_MAX,
    FF1,
    NOT_A_CODE_MALFORMED,
    NOT_A_CODE_MISTYPED,
    NOT_A_CODE_OTHER_SLOT,
    Parsed,
    SlotCipher,
    WordFilter,
    aes_blocks,
    alias_hash,
    guess_odds,
    normalise_alias,
    normalise_carrier,
    parse,
)

__all__ = [
    "BATCH_CODES_MAX",
    "FF1",
    "NotACode",
    "Parsed",
    "SlotCipher",
    "WordFilter",
    "aes_blocks",
    "alias_hash",
    "guess_odds",
    "normalise_alias",
    "normalise_carrier",
    "parse",
    "why_not",
]


class NotACode(IntEnum):
    """What a packed result of `SlotCipher.decode_many` means when it is no serial; above every domain."""

    MALFORMED = NOT_A_CODE_MALFORMED
    """Not written like a code."""
    MISTYPED = NOT_A_CODE_MISTYPED
    """The check character does not fit."""
    OTHER_SLOT = NOT_A_CODE_OTHER_SLOT
    """A code of another slot or format."""


def why_not(packed: int) -> NotACode | None:
    """Why a packed result is no serial; None when it is one."""
    return NotACode(packed) if packed >= NotACode.OTHER_SLOT else None
