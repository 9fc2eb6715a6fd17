"""An export from request to finished file: plan by the engine, job file, job process."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from imp.errors import Conflict, invalid
from imp.issuing.export.job import ExportJob, JobFace, check, load, save
from imp.issuing.export.names import Names, only_writer
from imp.issuing.export.process import run_job
from imp.issuing.export.schemas import Export
from imp.results import Catalogue, ExportPlan, Order

if TYPE_CHECKING:
    from imp.engine import NativeEngine
    from imp.issuing.export.manifest import Manifest

_ASKED = ("tenant", "order", "form", "symbol", "link_prefix", "labels_per_roll")


async def export(engine: "NativeEngine", tenant: str, request: Export) -> "Manifest":
    """Carry out an export or finish an interrupted one.

    Raises Conflict when the name is taken or items are frozen or recalled, Busy when it is being written already.
    """
    names = Names(Path(request.to))
    wanted = await asyncio.to_thread(plan_job, engine, tenant, request)
    await asyncio.to_thread(_settle_job_file, names, wanted, request.restart)
    return await run_job(names.job, engine.export_keys(tenant, request.order))


def plan_job(engine: "NativeEngine", tenant: str, request: Export) -> ExportJob:
    """The job of a request as of now."""
    planned = engine.export_plan(tenant, request.order, include_frozen=request.include_frozen)
    plan = msgspec.json.decode(planned, type=ExportPlan)
    order = msgspec.json.decode(engine.order(tenant, request.order), type=Order)
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
            span=plan.count + sum(count for _, count in plan.left_out),
            left_out=tuple(plan.left_out),
            count=plan.count,
            link_prefix=request.link_prefix or f"https://{_domain(engine, tenant, order.series)}/",
            form=request.form,
            symbol=request.symbol,
            labels_per_roll=request.labels_per_roll,
        )
    )


def _domain(engine: "NativeEngine", tenant: str, series: str) -> str:
    catalogue = msgspec.json.decode(engine.catalogue(tenant), type=Catalogue)
    return next(key_space.domain for key_space in catalogue.key_spaces if key_space.series == series)


def _settle_job_file(names: Names, wanted: ExportJob, restart: bool) -> None:
    """Leave the job file to follow: an unfinished one of the same request stays as it is, otherwise the wanted one."""
    if not names.target.is_absolute() or not names.target.parent.is_dir():
        raise invalid("to", f"{names.target} is not an absolute path in an existing folder")
    if names.job.exists():
        if not restart:
            _same_request(names, load(names.job), wanted)
            return
        with only_writer(names):
            names.remove_drafts()
    if names.target.exists():
        raise Conflict(f"{names.target} exists; move it away or choose another name")
    save(wanted, names.job)


def _same_request(names: Names, found: ExportJob, wanted: ExportJob) -> None:
    differing = [name for name in _ASKED if getattr(found, name) != getattr(wanted, name)]
    if differing:
        raise Conflict(
            f"{names.job} belongs to an unfinished export that differs in {', '.join(differing)};"
            " ask for the same to finish it, or restart"
        )
