"""The control verbs: one table used by the CLI locally, by `/v1/admin/{verb}` and by the API's controllers.

A verb is an async method of Control that takes a tenant and a frozen request struct and returns a response struct.
Every door gives the same results and errors because all of them end here.
"""

import asyncio
import functools
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec

import imp.governance.schemas as governance
import imp.issuing.schemas as issuing
import imp.registry.schemas as registry
from imp.actor import accepted_actor
from imp.codes import guess_odds
from imp.commands import Command, encode
from imp.engine import ScanContext
from imp.errors import Conflict, invalid, invalid_request
from imp.governance.backup import back_up
from imp.governance.status import read_status
from imp.issuing.export.manifest import Manifest
from imp.issuing.export.schemas import Export
from imp.issuing.export.service import export
from imp.results import CatalogueKeySpace, ExportPlan, Order, Report

if TYPE_CHECKING:
    from imp.directory import Directory, Managed

__all__ = ["VERBS", "Control", "Verb", "dispatch"]

_TENANT = re.compile(r"\A[A-Za-z0-9._-]{1,64}\Z")
_LONG_BYTES = 64 << 10
"""A request of this size is decoded outside the event loop."""


class Verb(NamedTuple):
    """One row of the verb table.

    scope: the API key scope it needs over /v1, None for verbs that only the machine's operator has. method: what it
    does, for a request that is known to be acceptable.
    """

    name: str
    request: type[msgspec.Struct]
    scope: governance.KeyScope | None
    needs_tenant: bool
    method: "_Method[Any, Any]"


type _Method[Q: msgspec.Struct, R] = Callable[["Control", str, Q], Coroutine[Any, Any, R]]


def _verb[Q: msgspec.Struct, R](
    scope: governance.KeyScope | None, *, needs_tenant: bool = True, lists_codes: bool = False
) -> Callable[[_Method[Q, R]], _Method[Q, R]]:
    """Make a method a verb: it gets a table row, and requests built by hand are checked like decoded ones.

    lists_codes: the request may hold 100,000 texts, so it is checked outside the event loop.
    """

    def register(method: _Method[Q, R]) -> _Method[Q, R]:
        row = Verb(method.__name__, method.__annotations__["request"], scope, needs_tenant, method)

        @functools.wraps(method)
        async def checked(self: "Control", tenant: str, request: Q) -> R:
            _check_tenant(row, tenant)
            if lists_codes:
                return await method(self, tenant, await asyncio.to_thread(_accepted, request, row))
            return await method(self, tenant, _accepted(request, row))

        VERBS[row.name] = row
        return checked

    return register


def _check_tenant(row: Verb, tenant: str) -> None:
    if row.needs_tenant and _TENANT.match(tenant) is None:
        raise invalid("tenant", "this verb needs a tenant: 1–64 of A–Z a–z 0–9 . _ -")


def _accepted(request: msgspec.Struct, row: Verb) -> Any:
    try:
        return msgspec.convert(msgspec.to_builtins(request), row.request)
    except msgspec.ValidationError as error:
        raise invalid_request(error) from None


VERBS: dict[str, Verb] = {}
"""The verb table, in the order of Control's methods."""


class Control:
    """The verbs on one open directory; all of them take a tenant and a request, whether they use both or not.

    `actor` is who acts, as the operation log names it (`cli:root`, `key:…`)."""

    def __init__(self, directory: "Directory", actor: str = "operator") -> None:
        self._directory = directory
        self.actor = actor

    def acting(self, actor: str) -> Self:
        """The same verbs in another actor's name. Raises InvalidInput for one that the engine would not take."""
        return type(self)(self._directory, accepted_actor(actor))

    @property
    def _managed(self) -> "Managed":
        if self._directory.managed is None:
            raise Conflict(
                "a standalone directory keeps no tenants and no API keys; hint: imp init makes a managed one"
            )
        return self._directory.managed

    async def _order(self, tenant: str, request: issuing.OrderRequest) -> issuing.Issued:
        report = await self._directory.commands.order(tenant, request, self.actor)
        engine = self._directory.engine
        order = msgspec.json.decode(engine.order(tenant, request.order), type=Order)
        if order.format is None:
            return issuing.Issued(order=order, report=report, warnings=report.warnings)
        # Serials are contiguous: when this order was issued, its key space had issued all up to its end.
        odds_one_in, _ = guess_odds(order.format, order.first_serial + order.quantity + order.skipped_serials)
        return issuing.Issued(order=order, report=report, odds_one_in=odds_one_in, warnings=report.warnings)

    def _preview(self, tenant: str, command: Command) -> Report:
        report = self._directory.engine.preview(tenant, self._directory.clock(), encode(command))
        return msgspec.json.decode(report, type=Report)

    async def _read[R](self, ask: Callable[[str, str], bytes], tenant: str, names: list[str], kind: type[R]) -> list[R]:
        """What the engine says of each name, asked in one go outside the event loop."""
        return await asyncio.to_thread(lambda: [msgspec.json.decode(ask(tenant, name), type=kind) for name in names])

    # registry -----------------------------------------------------------------------------------------------------

    @_verb(None, needs_tenant=False)
    async def add_tenant(self, tenant: str, request: registry.AddTenant) -> registry.Tenant:  # noqa: ARG002
        """Add the tenant in the request.

        `tenant` is "". The same again answers the same; another name is a Conflict.
        """
        from imp.registry.service import add_tenant  # noqa: PLC0415 - needs SQLAlchemy, standalone directories do not

        return await add_tenant(self._managed.database, request, self._directory.clock())

    @_verb(None, needs_tenant=False)
    async def list_tenants(self, tenant: str, request: registry.ListTenants) -> registry.Tenants:  # noqa: ARG002
        """Tenants by id; `tenant` is ""."""
        return await self._directory.commands.list_tenants(request)

    @_verb("write")
    async def add_domain(self, tenant: str, request: registry.AddDomain) -> registry.Domain:
        """Give the tenant a scan domain. Refused (domain_taken) when another tenant owns the host."""
        return await self._directory.commands.add_domain(tenant, request, self.actor)

    @_verb("write")
    async def put_product(self, tenant: str, request: registry.PutProduct) -> registry.Product:
        """Add or replace a product; answers to scans show it from now on."""
        return await self._directory.commands.put_product(tenant, request, self.actor)

    @_verb("read")
    async def get_product(self, tenant: str, request: registry.GetProduct) -> registry.Product:
        """One product."""
        return await self._directory.commands.get_product(tenant, request)

    @_verb("read")
    async def list_products(self, tenant: str, request: registry.ListProducts) -> registry.Products:
        """Products by id."""
        return await self._directory.commands.list_products(tenant, request)

    @_verb("write")
    async def open_series(self, tenant: str, request: registry.OpenSeries) -> registry.KeySpace:
        """Open a series; slots and nonce are drawn at random.

        The same again answers the same; other content is a Conflict.
        """
        return await self._directory.commands.open_series(tenant, request, self.actor)

    @_verb("write")
    async def renew_series(self, tenant: str, request: registry.RenewSeries) -> registry.KeySpace:
        """Open the series' next epoch with fresh slots and nonce."""
        return await self._directory.commands.renew_series(tenant, request, self.actor)

    @_verb("read")
    async def list_series(self, tenant: str, request: registry.ListSeries) -> registry.SeriesPage:
        """Series by id, each with its latest epoch."""
        names, following = await self._directory.commands.series_page(tenant, request)
        found = await self._read(self._directory.engine.key_space, tenant, names, CatalogueKeySpace)
        return registry.SeriesPage(series=[registry.series_of(space) for space in found], next=following)

    # issuing ------------------------------------------------------------------------------------------------------

    @_verb("issue")
    async def issue_order(self, tenant: str, request: issuing.IssueOrder) -> issuing.Issued:
        """Issue codes; the codes may leave once this has answered."""
        return await self._order(tenant, request)

    @_verb("issue", lists_codes=True)
    async def import_aliases(self, tenant: str, request: issuing.ImportAliases) -> issuing.Issued:
        """Take foreign codes in as an order of a keyless series."""
        return await self._order(tenant, request)

    @_verb("issue", lists_codes=True)
    async def preview_import(self, tenant: str, request: issuing.ImportAliases) -> Report:
        """The report importing would give now; a refusal is a report here, not an error. Nothing is stored."""
        return await asyncio.to_thread(self._preview, tenant, issuing.order_command(request))

    @_verb("read")
    async def get_order(self, tenant: str, request: issuing.GetOrder) -> Order:
        """One order with exact counts by state."""
        return msgspec.json.decode(self._directory.engine.order(tenant, request.order), type=Order)

    @_verb("read")
    async def list_orders(self, tenant: str, request: issuing.ListOrders) -> issuing.Orders:
        """Orders, oldest first."""
        names, following = await self._directory.commands.order_page(tenant, request)
        found = await self._read(self._directory.engine.order, tenant, names, Order)
        return issuing.Orders(orders=found, next=following)

    @_verb("export")
    async def export_plan(self, tenant: str, request: issuing.PlanExport) -> ExportPlan:
        """What an export job needs besides keys. Conflict when items are frozen or recalled, unless include_frozen."""
        plan = asyncio.to_thread(self._directory.engine.export_plan, tenant, request.order, request.include_frozen)
        return msgspec.json.decode(await plan, type=ExportPlan)

    @_verb(None)
    async def export(self, tenant: str, request: Export) -> Manifest:
        """Write an order's codes to a file on this machine by a job process; the same request again finishes it."""
        return await export(self._directory.engine, tenant, request)

    async def export_keys(self, tenant: str, order: str) -> list[tuple[str, int, bytes]]:
        """(face, slot, key) per face of an order, to be handed to a job process by pipe.

        Not a verb: keys pass no door.
        """
        return self._directory.engine.export_keys(tenant, order)

    # governance ---------------------------------------------------------------------------------------------------

    @_verb("command", lists_codes=True)
    async def apply_command(self, tenant: str, request: governance.ApplyCommand) -> Report:
        """Apply a state command durably. Raises Refused with the engine's reason when it is refused."""
        return await self._directory.commands.apply(tenant, request, self.actor)

    @_verb("command", lists_codes=True)
    async def preview_command(self, tenant: str, request: governance.PreviewCommand) -> Report:
        """The report applying would give now; a refusal is a report here, not an error. Nothing is stored."""
        return await asyncio.to_thread(self._preview, tenant, request.command)

    @_verb("scan")
    async def scan(self, tenant: str, request: governance.Scan) -> msgspec.Raw:
        """Scan one code; the bytes are the ones every door gives."""
        context = ScanContext(
            role=request.role,
            channel=request.channel,
            device=None if request.device is None else request.device.encode(),
            language=request.language,
            idempotency_key=None if request.idempotency_key is None else request.idempotency_key.encode(),
            caller=self.actor.encode(),
            count=request.count,
        )
        return msgspec.Raw(self._directory.engine.scan(tenant, request.code.encode(), context))

    @_verb("read")
    async def lookup(self, tenant: str, request: governance.LookUp) -> msgspec.Raw:
        """All that is known of a code, without counting; decodes as imp.results.Lookup."""
        return msgspec.Raw(self._directory.engine.lookup(tenant, request.code.encode(), request.role))

    @_verb("keys")
    async def create_key(self, tenant: str, request: governance.CreateKey) -> governance.CreatedKey:
        """Make an API key; its secret is in this answer only."""
        return await self._managed.keys.create(tenant, request)

    @_verb("keys")
    async def list_keys(self, tenant: str, request: governance.ListKeys) -> governance.KeyPage:
        """API keys without their secrets, oldest first."""
        return await self._managed.keys.list(tenant, request)

    @_verb("keys")
    async def revoke_key(self, tenant: str, request: governance.RevokeKey) -> governance.ApiKey:
        """Revoke an API key at once; again is harmless."""
        return await self._managed.keys.revoke(tenant, request.id)

    async def authenticate(self, secret: str) -> governance.Principal:
        """Who an API key stands for; raises Unauthenticated. Not a verb."""
        return await self._managed.keys.authenticate(secret)

    @_verb(None, needs_tenant=False)
    async def backup(self, tenant: str, request: governance.Backup) -> governance.BackedUp:  # noqa: ARG002
        """Copy engine, then database, to a new directory; `tenant` is ""."""
        return await back_up(self._directory, Path(request.to))

    @_verb(None, needs_tenant=False)
    async def accept_restore(self, tenant: str, request: governance.AcceptRestore) -> governance.Status:  # noqa: ARG002
        """Accept the window a restore printed, so that claims are allowed again; `tenant` is ""."""
        marker = self._directory.marker
        if marker.restored is None:
            raise Conflict("nothing was restored here")
        if marker.restored.accepted_at_us is None:
            accepted = msgspec.structs.replace(marker.restored, accepted_at_us=self._directory.clock())
            self._directory.mark(msgspec.structs.replace(marker, restored=accepted))
        return await read_status(self._directory, None)

    @_verb(None, needs_tenant=False)
    async def status(self, tenant: str, request: governance.StatusRequest) -> governance.Status:  # noqa: ARG002
        """Readiness, what waits and what an operator should act on; `tenant` is "" for all tenants."""
        return await read_status(self._directory, tenant or None)


async def dispatch(control: Control, verb: str, tenant: str, request: bytes) -> bytes:
    """Run a verb from JSON to JSON.

    Raises InvalidInput for an unknown verb or a request that does not fit its struct.
    """
    row = VERBS.get(verb)
    if row is None:
        raise invalid("verb", f"no such verb; known are {', '.join(VERBS)}")
    decoded = await asyncio.to_thread(_decoded, request, row) if len(request) > _LONG_BYTES else _decoded(request, row)
    _check_tenant(row, tenant)
    return msgspec.json.encode(await row.method(control, tenant, decoded))


def _decoded(request: bytes, row: Verb) -> Any:
    try:
        return msgspec.json.decode(request or b"{}", type=row.request)
    except msgspec.DecodeError as error:
        raise invalid_request(error) from None
