"""`imp state`: commands that change what a scan answers."""

from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from imp.cli import output
from imp.cli.issuing import states_text
from imp.cli.options import Command, Session, dry_run_option, event_option, with_session, yes_option
from imp.cli.texts import read_codes
from imp.commands import CODES_PER_LIST_MAX, StateCommand
from imp.errors import Refused
from imp.governance.schemas import ApplyCommand, PreviewCommand
from imp.results import Report


class _Act(NamedTuple):
    """How a command of this kind is asked for. asks: whether a person confirms it first."""

    kind: str
    asks: bool
    help: str


_ON_SCOPE = (
    _Act("activate", False, "Activate items: their scans can be first checks from now on."),
    _Act("freeze", True, "Freeze items: scans answer frozen until the hold is removed. Void items are skipped."),
    _Act("void", True, "Void items for ever."),
    _Act("recall", True, "Recall items: scans show the instructions. Void items are recalled too."),
)


@click.group("state")
def state_() -> None:
    """Change the state of items: a whole order, a range of it, or codes.

    A command is applied as a whole or not at all. Freeze, void, recall and replace show what they would do and ask
    first; in scripts say --yes. --dry-run only shows.
    """


def _scope_options(command: Command) -> Command:
    for option in reversed(
        (
            click.argument("codes", nargs=-1),
            click.option("--order", help="Items of this order."),
            click.option("--first", type=click.IntRange(0), help="First item, counted from 0."),
            click.option("--count", type=click.IntRange(1), help="So many items from --first."),
            click.option("--codes-file", type=click.File("rb"), help="Codes, one a line ('-': standard input)."),
        )
    ):
        command = option(command)
    return command


def _act_options(command: Command) -> Command:
    for option in (
        click.option("--reason", required=True, help="Why; stays in the ledger."),
        click.option("--strict", is_flag=True, help="Refuse when any item would be skipped."),
        dry_run_option,
        yes_option,
        event_option,
    ):
        command = option(command)
    return command


def _scope(
    order: str | None, first: int | None, count: int | None, codes: tuple[str, ...], codes_file: Any
) -> dict[str, Any]:
    """The scope of the options, {} when none was given."""
    listed = [*codes, *(read_codes(codes_file, CODES_PER_LIST_MAX) if codes_file else ())]
    if listed and (order or first is not None or count is not None):
        raise click.UsageError("give either codes or --order (with --first and --count), not both")
    if (first is None) != (count is None) or (first is not None and order is None):
        raise click.UsageError("--first and --count go together and need --order")
    if listed:
        return {"codes": listed}
    scope = {"order": order, "first": first, "count": count}
    return {name: value for name, value in scope.items() if value is not None}


def _run(
    opened: Session, command: dict[str, Any], *, asks: bool, dry_run: bool, yes: bool, event_id: str | None
) -> None:
    """Preview, ask where it is due, apply, print the report."""
    state_command: StateCommand = msgspec.convert(command, StateCommand)
    if dry_run or (asks and not yes):
        answer = opened.door.raw("preview_command", opened.tenant, PreviewCommand(command=state_command))
        report = msgspec.json.decode(answer, type=Report)
        if report.status == "refused":
            raise Refused(report.reason or "refused", _refusal(report), answer)
        if dry_run:
            opened.print(answer, Report, lambda told: _show(told, "would change"))
            return
        output.note(f"{command['command']}: {report.changed:,} items would change, {report.skipped:,} would be skipped")
        output.confirm("go on?", yes=yes)
    request = ApplyCommand(command=state_command, event_id=event_id)
    opened.answer("apply_command", request, Report, lambda told: _show(told, "changed"))


def _on_scope(act: _Act) -> click.Command:
    @click.command(act.kind, help=act.help)
    @_scope_options
    @_act_options
    @with_session
    def command(
        opened: Session, *, reason: str, strict: bool, dry_run: bool, yes: bool, event_id: str | None, **options: Any
    ) -> None:
        instructions = options.pop("instructions", None)
        scope = _scope(**options)
        if not scope:
            raise click.UsageError("which items? give codes, --codes-file or --order")
        fields = {"command": act.kind, "scope": scope, "reason": reason, "strict": strict}
        if instructions is not None:
            fields["instructions"] = instructions
        _run(opened, fields, asks=act.asks, dry_run=dry_run, yes=yes, event_id=event_id)

    if act.kind == "recall":
        command = click.option("--instructions", help="What the owner should do; default: the product's.")(command)
    return command


for _entry in _ON_SCOPE:
    state_.add_command(_on_scope(_entry))


@state_.command("unfreeze")
@click.option("--hold", required=True, help="Id of the freeze or recall, as its report and `imp order show` give it.")
@_scope_options
@_act_options
@with_session
def unfreeze(
    opened: Session,
    *,
    hold: str,
    reason: str,
    strict: bool,
    dry_run: bool,
    yes: bool,
    event_id: str | None,
    **options: Any,
) -> None:
    """Remove a hold (freeze or recall), wholly or for some items."""
    fields: dict[str, Any] = {"command": "unfreeze", "hold": hold, "reason": reason, "strict": strict}
    if scope := _scope(**options):
        fields["scope"] = scope
    _run(opened, fields, asks=False, dry_run=dry_run, yes=yes, event_id=event_id)


@state_.command("replace")
@click.argument("pairs_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--reason", required=True, help="Why; stays in the ledger.")
@dry_run_option
@yes_option
@event_option
@with_session
def replace(opened: Session, *, pairs_file: Path, reason: str, dry_run: bool, yes: bool, event_id: str | None) -> None:
    """Replace codes: PAIRS_FILE has old and new code on each line, separated by comma, tab or space.

    The new items take lifecycle and holds of the old ones; the old codes answer void.
    """
    old: list[str] = []
    new: list[str] = []
    for number, line in enumerate(pairs_file.read_text("utf-8").splitlines(), 1):
        fields = line.replace(",", " ").split()
        if not fields:
            continue
        if len(fields) != 2:
            raise click.UsageError(
                f"{pairs_file}, line {number}: expected an old and a new code, found {len(fields)} fields"
            )
        old.append(fields[0])
        new.append(fields[1])
    if not 1 <= len(old) <= CODES_PER_LIST_MAX:
        raise click.UsageError(f"{pairs_file} has {len(old):,} pairs; 1 to {CODES_PER_LIST_MAX:,} are accepted")
    fields = {"command": "replace", "old": old, "new": new, "reason": reason}
    _run(opened, fields, asks=True, dry_run=dry_run, yes=yes, event_id=event_id)


def _refusal(report: Report) -> str:
    holds = f" Holds: {', '.join(report.holds)}" if report.holds else ""
    return f"{report.message or report.reason}{holds}"


def _show(report: Report, changed: str) -> None:
    output.facts(
        [
            (changed, report.changed),
            ("already so", report.already),
            ("skipped", report.skipped),
            ("orders", report.orders),
            ("states now", states_text(report.by_state)),
            ("hold", report.hold),
            ("event", report.event_id),
        ]
    )
