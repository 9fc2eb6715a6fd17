"""Rows of `scan_many`, read by their documented layout."""

import struct
from typing import NamedTuple

from imp._core import VERDICTS

ROW = struct.Struct("<BBBBIq")


class Row(NamedTuple):
    """One answer; None where it says nothing."""

    verdict: str
    is_first: bool | None
    scans: int | None
    first_at_ms: int | None
    recorded: bool


def read_rows(rows: bytes) -> list[Row]:
    """All answers of one call, in order."""
    return [
        Row(
            VERDICTS[verdict],
            (False, True, None)[is_first],
            scans or None,
            first_us // 1_000 if first_us else None,
            bool(recorded),
        )
        for verdict, is_first, recorded, _, scans, first_us in ROW.iter_unpack(rows)
    ]
