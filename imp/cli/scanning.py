"""`imp scan`, `imp lookup`."""

from typing import BinaryIO, get_args

import click
import msgspec

from imp.cli import output
from imp.cli.options import Session, with_session
from imp.cli.texts import read_codes
from imp.governance.schemas import LookUp, Role, Scan
from imp.results import Answer, Lookup

_CODES_MAX = 100_000
_ROLES: tuple[Role, ...] = get_args(Role)


@click.command("scan")
@click.argument("codes", nargs=-1)
@click.option("--codes-file", type=click.File("rb"), help="Codes, one a line ('-': standard input).")
@click.option("--role", type=click.Choice(_ROLES), default="consumer", show_default=True)
@click.option("--device", help="Opaque id of the scanning device.")
@click.option("--language", type=click.Choice(["zh", "en"]), default="en", show_default=True)
@click.option("--count/--no-count", default=True, show_default=True, help="Whether it counts as a scan.")
@with_session
def scan_(
    opened: Session,
    *,
    codes: tuple[str, ...],
    codes_file: BinaryIO | None,
    role: str,
    device: str | None,
    language: str,
    count: bool,
) -> None:
    """Scan CODES; each counts like any scan. With --json one code prints its answer, several print a list."""
    texts = _texts(codes, codes_file)
    asked = {"role": role, "device": device, "language": language, "count": count}
    answers: list[bytes] = []
    with output.progress("scanning", len(texts)) as advance:
        for done, code in enumerate(texts, 1):
            answers.append(opened.door.raw("scan", opened.tenant, msgspec.convert({"code": code, **asked}, Scan)))
            advance(done)
    if opened.as_json:
        output.document(answers[0] if len(texts) == 1 else b"[" + b",\n".join(answers) + b"]")
        return
    rows = [_row(code, msgspec.json.decode(answer, type=Answer)) for code, answer in zip(texts, answers, strict=True)]
    output.table("", ("code", "verdict", "first", "scans", "product", "message"), rows)


@click.command("lookup")
@click.argument("code")
@click.option(
    "--role", type=click.Choice(_ROLES), default="system", show_default=True, help="risk reads why it is unknown."
)
@with_session
def lookup_(opened: Session, code: str, role: Role) -> None:
    """Show all that is known of CODE; this is no scan."""
    opened.answer("lookup", LookUp(code=code, role=role), Lookup, _show_lookup)


def _texts(codes: tuple[str, ...], codes_file: BinaryIO | None) -> list[str]:
    texts = [*codes, *(read_codes(codes_file, _CODES_MAX) if codes_file else ())]
    if not texts:
        raise click.UsageError("which codes? give them as arguments or with --codes-file")
    return texts


def _row(code: str, answer: Answer) -> tuple[object, ...]:
    name = answer.product.name if answer.product else None
    return code, answer.verdict, answer.is_first, answer.scans, name, answer.message


def _show_lookup(found: Lookup) -> None:
    shown = ("code", "state", "reason", "lifecycle", "holds", "order", "product", "lot", "face", "index", "serial")
    output.facts([(name, getattr(found, name)) for name in shown])
    if found.faces:
        rows = [
            (face.face, face.scans, face.sessions, output.day_time(face.first_at_us), output.day_time(face.last_at_us))
            for face in found.faces
        ]
        output.table("", ("face", "scans", "sessions", "first", "last"), rows)
