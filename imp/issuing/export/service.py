"""An export from request to finished file: plan by the engine, job file, job process."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from imp.commands import Format
from imp.errors import Conflict, invalid
from imp.issuing.export.job import ExportJob, JobFace, check, load, save
from imp.issuing.export.names import Names, only_writer
from imp.issuing.export.process import run_job
from imp.issuing.export.schemas import Export
from imp.results import Order, PlannedFace

if TYPE_CHECKING:
    from imp.engine import NativeEngine
    from imp.issuing.export.manifest import Manifest

GTIN_DIGITS = 14

_ASKED = ("tenant", "order", "form", "symbol", "link_prefix", "labels_per_roll")


class _Plan(msgspec.Struct, frozen=True):
    """imp.results.ExportPlan with its ranges unread: the server only passes them on."""

    order: str
    format: Format
    faces: tuple[PlannedFace, ...]
    epoch: int
    domain: str
    gtin: str | None
    lot: str | None
    first_serial: int
    span: int
    left_out: msgspec.Raw
    count: int


async def export(engine: "NativeEngine", tenant: str, request: Export) -> "Manifest":
    """Carry out an export or finish an interrupted one.

    Raises Conflict when the name is taken or items are frozen or recalled, Busy when it is being written already.
    """
    names = Names(Path(request.to))
    _check_names(names)
    wanted = await asyncio.to_thread(plan_job, engine, tenant, request)
    await asyncio.to_thread(_settle_job_file, names, wanted, request.restart)
    return await run_job(names.job, engine.export_keys(tenant, request.order))


def plan_job(engine: "NativeEngine", tenant: str, request: Export) -> ExportJob:
    """The job of a request as of now."""
    planned = engine.export_plan(tenant, request.order, include_frozen=request.include_frozen)
    plan = msgspec.json.decode(planned, type=_Plan)
    order = msgspec.json.decode(engine.order(tenant, request.order), type=Order)
    host = request.link_prefix or f"https://{plan.domain}/"
    faces = tuple(JobFace(face.face, face.slot) for face in plan.faces)
    return check(
        ExportJob(
            tenant=tenant,
            order=plan.order,
            series=order.series,
            epoch=plan.epoch,
            format=plan.format,
            faces=faces,
            first_serial=plan.first_serial,
            span=plan.span,
            left_out=plan.left_out,
            count=plan.count,
            link_prefix=host + _digital_link(plan) if request.digital_link else host,
            form=request.form,
            symbol=request.symbol,
            labels_per_roll=request.labels_per_roll,
        )
    )


def _digital_link(plan: _Plan) -> str:
    """Path before the serial in a GS1 Digital Link URI: AI (01) GTIN-14, AI (10) lot, AI (21) serial."""
    if plan.gtin is None:
        raise invalid("digital_link", f"order {plan.order} has no product with a GTIN")
    lot = f"10/{quote(plan.lot, safe='')}/" if plan.lot else ""
    return f"01/{plan.gtin.zfill(GTIN_DIGITS)}/{lot}21/"


def _check_names(names: Names) -> None:
    """What can be said before any work."""
    if not names.target.is_absolute() or not names.target.parent.is_dir():
        raise invalid("to", f"{names.target} is not an absolute path in an existing folder")
    if names.target.exists() and not names.job.exists():
        raise Conflict(f"{names.target} exists; move it away or choose another name")


def _settle_job_file(names: Names, wanted: ExportJob, restart: bool) -> None:
    """Leave the job file to follow: an unfinished one of the same request stays as it is, otherwise the wanted one."""
    if names.job.exists():
        if not restart:
            _same_request(names, load(names.job), wanted)
            return
        with only_writer(names):
            names.remove_drafts()
    _check_names(names)
    save(wanted, names.job)


def _same_request(names: Names, found: ExportJob, wanted: ExportJob) -> None:
    differing = [name for name in _ASKED if getattr(found, name) != getattr(wanted, name)]
    if differing:
        raise Conflict(
            f"{names.job} belongs to an unfinished export that differs in {', '.join(differing)};"
            " ask for the same to finish it, or restart"
        )
