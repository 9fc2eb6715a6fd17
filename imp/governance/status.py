"""What an operator should know: whether the whole is ready, what waits, what runs low."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from imp.governance.schemas import Alarm, Status
from imp.registry.key_spaces import SLOT_COUNTS
from imp.results import Catalogue, EngineStatus

if TYPE_CHECKING:
    from imp.directory import Directory
    from imp.marker import Marker

__all__ = ["read_status", "running_low"]

SERIALS_LEFT_MIN = 0.20
"""Below this share of the serials a key space may issue (its format's odds bound it), an alarm is raised."""
SLOTS_LEFT_MIN = 0.10
"""Below this share of a scan domain's slots of one format, an alarm is raised."""


async def read_status(directory: "Directory", tenant: str | None) -> Status:
    """The state of a directory; with a tenant, waiting commands and alarms are that tenant's only."""
    from imp import __version__  # noqa: PLC0415 - loaded with the core

    raw = directory.engine.status()
    engine = msgspec.json.decode(raw, type=EngineStatus)
    waiting = await directory.managed.relay.waiting() if directory.managed is not None else {}
    tenants = sorted({*directory.engine.last_seqs(), *waiting}) if tenant is None else [tenant]
    waiting = {name: rows for name, rows in waiting.items() if rows and name in tenants}
    low = await asyncio.to_thread(lambda: [alarm for name in tenants for alarm in _low(directory, name)])
    return Status(
        version=__version__,
        kind=directory.marker.kind,
        ready=engine.ready,
        database=None if directory.managed is None else directory.managed.database.shown,
        engine=msgspec.Raw(raw),
        waiting=waiting,
        alarms=[*_troubles(engine, directory.marker, waiting), *low],
    )


def running_low(tenant: str, catalogue: Catalogue) -> list[Alarm]:
    """Alarms for scan domains with few free slots and series whose newest epoch has few serials left."""
    alarms: list[Alarm] = []
    keyed = [space for space in catalogue.key_spaces if space.faces]
    taken = Counter[tuple[str, str]]()
    for space in keyed:
        taken[space.domain, space.format] += len(space.faces)
    for (domain, format_name), count in sorted(taken.items()):
        free, total = SLOT_COUNTS[format_name] - count, SLOT_COUNTS[format_name]
        if free < SLOTS_LEFT_MIN * total:
            message = (
                f"{domain} has {free} of {total} {format_name} slots left; add a scan domain before they are used up"
            )
            alarms.append(Alarm(kind="slots_low", message=message, tenant=tenant, subject=domain))
    newest = {space.series: space for space in sorted(keyed, key=lambda space: space.epoch)}
    for series, space in sorted(newest.items()):
        left = space.capacity - space.issued
        if left < SERIALS_LEFT_MIN * space.capacity:
            message = f"series {series} has {left} of {space.capacity} serials left; renew it (imp series renew)"
            alarms.append(Alarm(kind="serials_low", message=message, tenant=tenant, subject=series))
    return alarms


def _low(directory: "Directory", tenant: str) -> list[Alarm]:
    return running_low(tenant, msgspec.json.decode(directory.engine.catalogue(tenant), type=Catalogue))


def _troubles(engine: EngineStatus, marker: "Marker", waiting: dict[str, int]) -> list[Alarm]:
    alarms: list[Alarm] = []
    if engine.poisoned is not None:
        message = f"the engine stopped writing: {engine.poisoned}; mend the cause and start again"
        alarms.append(Alarm(kind="poisoned", message=message))
    if marker.restored is not None and marker.restored.accepted_at_us is None:
        message = (
            "restored from a backup: scans and redemptions since then may repeat; accept it (imp restore --accept)"
        )
        alarms.append(Alarm(kind="restored", message=message))
    for tenant, rows in waiting.items():
        message = f"{rows} commands wait to be applied"
        alarms.append(Alarm(kind="outbox_waiting", message=message, tenant=tenant))
    return alarms
