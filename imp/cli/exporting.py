"""`imp export`."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from imp.cli import output
from imp.cli.failures import Hinted
from imp.cli.options import Session, dry_run_option, with_session
from imp.errors import Conflict
from imp.issuing.export.job import FORMS, LABELS_PER_ROLL
from imp.issuing.export.manifest import Manifest
from imp.issuing.export.names import Names
from imp.issuing.export.progress import rows_done
from imp.issuing.export.schemas import Export
from imp.issuing.schemas import GetOrder, PlanExport
from imp.results import ExportPlan, Order

_POLL_S = 0.2
_BY_SUFFIX = sorted(FORMS, key=len, reverse=True)


@click.command("export")
@click.argument("order")
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="File to make (images: folder).")
@click.option("--form", type=click.Choice(FORMS), help="Default: what the name of the file ends in.")
@click.option("--symbol", type=click.Choice(["qr", "datamatrix"]), default="qr", show_default=True, help="For images.")
@click.option("--link-prefix", help="What precedes each code in its link [https://DOMAIN/].")
@click.option("--digital-link", is_flag=True, help="GS1 Digital Link: GTIN and lot stand before the code.")
@click.option("--labels-per-roll", type=click.IntRange(1), default=LABELS_PER_ROLL, show_default=True, help="For txt.")
@click.option("--include-frozen", is_flag=True, help="Export although items are frozen or recalled.")
@click.option("--restart", is_flag=True, help="Throw an unfinished export under this name away.")
@dry_run_option
@with_session
def export_(
    opened: Session, *, target: Path, form: str | None, restart: bool, dry_run: bool, **options: object
) -> None:
    r"""Write the codes of ORDER to a file.

    Void items and skipped serials are left out. An interrupted export goes on where it was when the same command is
    given again, and ends with the same bytes. Beside the file stands its manifest with count and SHA-256.

    \b
    csv      index, code, link
    csv.zst  the same, compressed
    parquet  index, code
    txt      for printers: link, readable text, roll-row, separated by tabs
    png svg  a folder of QR or Data Matrix images, up to 1,000 codes
    """
    path = target.absolute()
    fields = {"to": str(path), "form": form or _form_of(path), "restart": restart, **options}
    request = msgspec.convert(fields, Export)
    try:
        if dry_run:
            plan = PlanExport(order=request.order, include_frozen=request.include_frozen)
            opened.answer("export_plan", plan, ExportPlan, lambda planned: _show_plan(planned, request))
            return
        order = opened.ask("get_order", GetOrder(order=request.order), Order)
        with _shown_progress(Names(path), order.quantity):
            answer = opened.door.raw("export", opened.tenant, request)
    except Conflict as error:
        raise Hinted(error, _hint(str(error))) from error
    except KeyboardInterrupt as error:
        raise Hinted(error, "the same command goes on where it was") from error
    opened.print(answer, Manifest, lambda manifest: _show_manifest(path, manifest))


def _form_of(path: Path) -> str:
    found = next((form for form in _BY_SUFFIX if path.name.endswith(f".{form}")), None)
    if found is None:
        raise click.UsageError(f"{path.name} ends in no known form; name one with --form: {', '.join(FORMS)}")
    return found


@contextmanager
def _shown_progress(names: Names, count: int) -> Generator[None]:
    """Show the progress file of the job process while it works, wherever it was started."""
    done = threading.Event()
    with output.progress(f"exporting {names.target.name}", count) as advance:

        def watch() -> None:
            while not done.wait(_POLL_S):
                advance(rows_done(names.progress))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _hint(message: str) -> str:
    if "unfinished" in message:
        return "finish it by giving its options again, or add --restart to throw it away"
    if "exists" in message:
        return "a finished export is never overwritten"
    return "unfreeze the items first, or add --include-frozen if their codes shall be printed all the same"


def _show_plan(plan: ExportPlan, request: Export) -> None:
    faces = [face.face for face in plan.faces]
    output.facts(
        [
            ("would write", request.to),
            ("form", request.form),
            ("items", plan.count),
            ("faces", faces),
            ("left out", plan.span - plan.count),
        ]
    )


def _show_manifest(path: Path, manifest: Manifest) -> None:
    output.facts(
        [
            ("written", path),
            ("items", manifest.count),
            ("left out", manifest.left_out),
            ("bytes", manifest.bytes),
            ("sha256", manifest.sha256),
        ]
    )
