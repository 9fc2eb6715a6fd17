"""`imp import`: foreign codes."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from imp.carriers import AliasLine, AliasReading, Carrier, read_aliases
from imp.cli import output
from imp.cli.issuing import show_issued
from imp.cli.options import Session, dry_run_option, with_session
from imp.cli.texts import lines_of
from imp.codes import normalise_carrier
from imp.commands import CODES_PER_LIST_MAX
from imp.errors import InvalidInput, Refused, invalid, kind_of
from imp.issuing.schemas import ImportAliases, Issued
from imp.results import Report

CARRIERS: tuple[Carrier, ...] = get_args(Carrier)
TEXTS_PER_FILE_MAX = 5_000_000

_LINES_SHOWN = 20
_LOOKED_AT = 100
_QUOTED = re.compile(r'"([^"]+)"')


class Imported(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `imp import --json` prints; a dry run has no orders.

    A file with lines that are refused has none either, and then the keys of every failure: error, message, exit_code.
    """

    texts: int
    refused: list[AliasLine]
    refused_count: int
    orders: list[msgspec.Raw]
    error: str | None = None
    message: str | None = None
    exit_code: int = 0


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--set", "series", required=True, help="Series that takes them: imp series open NAME --foreign.")
@click.option("--order", help="Order they make [name of the file]. More than 100,000 codes make ORDER-0001 and so on.")
@click.option("--product")
@click.option("--lot")
@click.option("--column", help="Column of a CSV that holds the codes [the first].")
@click.option("--carrier", type=click.Choice(CARRIERS), default="text", show_default=True, help="What every line is.")
@click.option("--case-sensitive/--fold-case", default=True, show_default=True, help="Whether a and A differ in texts.")
@dry_run_option
@with_session
def import_(
    opened: Session,
    *,
    file: Path,
    column: str | None,
    carrier: Carrier,
    case_sensitive: bool,
    dry_run: bool,
    **order: str | None,
) -> int:
    """Take the codes of FILE in: another supplier's texts, EPC or TID of RFID tags, UIDs of NFC tags.

    FILE is a CSV with a line of column names, or has one code a line. Every line that cannot be taken is named, then
    nothing is imported; --dry-run only looks. EPC, TID and UID are hexadecimal, with or without separators, in either
    case. After an interruption give the command again: it goes on.
    """
    fold_case = carrier != "text" or not case_sensitive
    reading = read_aliases(lines_of(file, column), carrier, fold_case=fold_case)
    if not 1 <= len(reading.texts) + reading.refused_count <= TEXTS_PER_FILE_MAX:
        raise invalid("file", f"{len(reading.texts):,} codes; 1 to {TEXTS_PER_FILE_MAX:,} are accepted")
    requests = list(_requests(reading, file, fold_case=fold_case, **order))
    if not reading.refused:
        collisions = list(_collisions(opened, requests, lambda text: _line(file, column, carrier, text)))
        reading = reading._replace(refused=collisions, refused_count=len(collisions))
    if reading.refused:
        return _refuse(opened, file, reading)
    if dry_run and opened.as_json:
        output.document(_document(reading, []))
        return 0
    _say_what_it_looks_like(reading, carrier)
    if dry_run:
        output.facts([("would import", len(reading.texts))])
        return 0
    answers = _import(opened, requests, len(reading.texts))
    if opened.as_json:
        output.document(_document(reading, answers))
        return 0
    output.facts([("imported", len(reading.texts))])
    show_issued(msgspec.json.decode(answers[-1], type=Issued))
    return 0


def _refuse(opened: Session, file: Path, reading: AliasReading) -> int:
    """Name the lines that cannot be taken, with --json all of them; gives the exit code."""
    refusal = invalid("file", f"{reading.refused_count:,} lines cannot be imported; nothing was")
    _show_refused(file, reading)
    if not opened.as_json:
        raise refusal
    output.note(f"error: {refusal}")
    kind = kind_of(refusal)
    output.document(_document(reading, [], error=kind.slug, message=str(refusal), exit_code=kind.exit_code))
    return kind.exit_code


def _requests(
    reading: AliasReading, file: Path, *, order: str | None, fold_case: bool, **belongs: str | None
) -> Iterator[ImportAliases]:
    """One order, or numbered ones when the file is longer than an order of foreign codes may be."""
    name = order or re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem)
    several = len(reading.texts) > CODES_PER_LIST_MAX
    for number, start in enumerate(range(0, len(reading.texts), CODES_PER_LIST_MAX), 1):
        fields = {
            "order": f"{name}-{number:04}" if several else name,
            "texts": reading.texts[start : start + CODES_PER_LIST_MAX],
            "fold_case": fold_case,
            **belongs,
        }
        yield msgspec.convert(fields, ImportAliases)


def _collisions(opened: Session, requests: list[ImportAliases], line_of: Callable[[str], int]) -> Iterator[AliasLine]:
    """What the engine would refuse: codes already there, reserved names. It names one of each list."""
    with output.progress("checking", len(requests)) as advance:
        for done, request in enumerate(requests, 1):
            report = opened.ask("preview_import", request, Report)
            advance(done)
            if report.status == "refused":
                message = report.message or report.reason or "refused"
                named = next((text for text in _QUOTED.findall(message) if text in request.texts), None)
                if named is None:
                    raise Refused(report.reason or "refused", message)
                yield AliasLine(line_of(named), named, message)


def _line(file: Path, column: str | None, carrier: Carrier, wanted: str) -> int:
    """The line of FILE that holds a text."""
    for number, raw in enumerate(lines_of(file, column), 1):
        if raw.strip() and normalise_carrier(carrier, raw.strip(), True).lower() == wanted.lower().encode():
            return number
    return 0


def _import(opened: Session, requests: list[ImportAliases], count: int) -> list[bytes]:
    answers: list[bytes] = []
    with output.progress("importing", count) as advance:
        for request in requests:
            answers.append(opened.door.raw("import_aliases", opened.tenant, request))
            advance(min(count, len(answers) * CODES_PER_LIST_MAX))
    return answers


def _document(reading: AliasReading, answers: list[bytes], **failure: Any) -> bytes:
    return msgspec.json.encode(
        Imported(
            texts=len(reading.texts),
            refused=reading.refused,
            refused_count=reading.refused_count,
            orders=[msgspec.Raw(answer) for answer in answers],
            **failure,
        )
    )


def _show_refused(file: Path, reading: AliasReading) -> None:
    for line in reading.refused[:_LINES_SHOWN]:
        output.note(f"{file}:{line.line}: {line.text}: {line.message}")
    if reading.refused_count > _LINES_SHOWN:
        output.note(f"… and {reading.refused_count - _LINES_SHOWN:,} more")


def _say_what_it_looks_like(reading: AliasReading, carrier: Carrier) -> None:
    """Texts that are all hexadecimal may be tags that another reader writes differently."""
    sample = reading.texts[:_LOOKED_AT]
    if carrier != "text" or all(text.isdecimal() for text in sample):
        return
    for other in CARRIERS[1:]:
        if all(_is(other, text) for text in sample):
            output.note(f"note: these look like {other}; --carrier {other} takes them however a reader writes them")
            return


def _is(carrier: Carrier, text: str) -> bool:
    try:
        normalise_carrier(carrier, text.encode())
    except InvalidInput:
        return False
    return True
