"""Reading code lists given as files."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from imp.commands import CODE_TEXT_BYTES_MAX
from imp.errors import invalid


def read_codes(file: BinaryIO, codes_max: int) -> list[str]:
    """Codes of a file, one a line; empty lines count for nothing. Raises UsageError naming the line that is no code."""
    codes: list[str] = []
    for number, line in enumerate(file, 1):
        text = line.strip()
        if not text:
            continue
        place = f"{file.name}, line {number}"
        if len(text) > CODE_TEXT_BYTES_MAX:
            raise click.UsageError(f"{place}: {len(text)} bytes, a code has up to {CODE_TEXT_BYTES_MAX}")
        try:
            codes.append(text.decode("utf-8"))
        except UnicodeDecodeError:
            raise click.UsageError(f"{place}: not UTF-8 text") from None
        if len(codes) > codes_max:
            raise click.UsageError(f"{file.name} has more than {codes_max:,} codes; use a range of the order instead")
    return codes


def lines_of(file: Path, column: str | None) -> Iterator[bytes]:
    """One text per line of FILE, blank where the line holds none, so that counting them gives line numbers.

    A file named .csv has a line of column names; `column` chooses one of them, otherwise it is the first.
    Raises InvalidInput when the file is no CSV or has no such column.
    """
    if file.suffix.lower() == ".csv":
        yield from _cells(file, column)
        return
    if column is not None:
        raise invalid("column", "only files named .csv have columns")
    with file.open("rb") as opened:
        yield from opened


def _cells(file: Path, column: str | None) -> Iterator[bytes]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.reader(opened, strict=True)
            names = next(rows, list[str]())
            if column is not None and column not in names:
                raise invalid("column", f"{column!r} is none of {', '.join(names)}")
            place = names.index(column) if column is not None else 0
            said = 0
            for row in rows:
                yield from (b"" for _ in range(rows.line_num - said - 1))
                yield row[place].encode() if place < len(row) else b""
                said = rows.line_num
    except UnicodeDecodeError as error:
        raise invalid("file", f"not UTF-8: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise invalid("file", f"not a CSV: {error}") from None
