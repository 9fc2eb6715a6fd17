"""The control verbs: one table used by the CLI locally, by `/v1/admin/{verb}` and by the API's controllers.

A verb is an async method of Control that takes a tenant and a frozen request struct and returns a response struct. Every door
gives the same results and errors because all of them end here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import msgspec

import imp.governance.schemas as governance
import imp.issuing.schemas as issuing
import imp.registry.schemas as registry
from imp.errors import invalid, invalid_request
from imp.results import ExportPlan, Order, Report

if TYPE_CHECKING:
    from imp.directory import Directory

__all__ = ["VERBS", "Control", "Verb", "dispatch"]


class Control:
    """The verbs on one open directory. `actor` is who acts, as the operation log names it (`cli:root`, `key:…`)."""

    def __init__(self, directory: "Directory", actor: str = "operator") -> None:
        self._directory = directory
        self.actor = actor

    def acting(self, actor: str) -> Self:
        """The same verbs in another actor's name."""
        return type(self)(self._directory, actor)

    # registry -----------------------------------------------------------------------------------------------------

    async def add_tenant(self, tenant: str, request: registry.AddTenant) -> registry.Tenant:
        """Add a tenant (the one in the request; `tenant` is ""). The same again answers the same; another name is a Conflict."""
        raise NotImplementedError

    async def list_tenants(self, tenant: str, request: registry.ListTenants) -> registry.Tenants:
        """Tenants by id; `tenant` is ""."""
        raise NotImplementedError

    async def add_domain(self, tenant: str, request: registry.AddDomain) -> registry.Domain:
        """Give the tenant a scan domain. Conflict when another tenant owns the host."""
        raise NotImplementedError

    async def put_product(self, tenant: str, request: registry.PutProduct) -> registry.Product:
        """Add or replace a product; answers to scans show it from now on."""
        raise NotImplementedError

    async def get_product(self, tenant: str, request: registry.GetProduct) -> registry.Product:
        """One product."""
        raise NotImplementedError

    async def list_products(self, tenant: str, request: registry.ListProducts) -> registry.Products:
        """Products by id."""
        raise NotImplementedError

    async def open_series(self, tenant: str, request: registry.OpenSeries) -> registry.KeySpace:
        """Open a series: slots and nonce are drawn at random. The same again answers the same; other content is a Conflict."""
        raise NotImplementedError

    async def renew_series(self, tenant: str, request: registry.RenewSeries) -> registry.KeySpace:
        """Open the series' next epoch with fresh slots and nonce."""
        raise NotImplementedError

    async def list_series(self, tenant: str, request: registry.ListSeries) -> registry.SeriesPage:
        """Series by id, each with its latest epoch."""
        raise NotImplementedError

    # issuing ------------------------------------------------------------------------------------------------------

    async def issue_order(self, tenant: str, request: issuing.IssueOrder) -> issuing.Issued:
        """Issue codes; the codes may leave once this has answered."""
        raise NotImplementedError

    async def import_aliases(self, tenant: str, request: issuing.ImportAliases) -> issuing.Issued:
        """Take foreign codes in as an order of a keyless series."""
        raise NotImplementedError

    async def get_order(self, tenant: str, request: issuing.GetOrder) -> Order:
        """One order with exact counts by state."""
        raise NotImplementedError

    async def list_orders(self, tenant: str, request: issuing.ListOrders) -> issuing.Orders:
        """Orders, oldest first."""
        raise NotImplementedError

    async def export_plan(self, tenant: str, request: issuing.PlanExport) -> ExportPlan:
        """What an export job needs besides keys. Conflict when items are frozen or recalled, unless include_frozen."""
        raise NotImplementedError

    async def export_keys(self, tenant: str, order: str) -> list[tuple[str, int, bytes]]:
        """(face, slot, key) per face of an order, to be handed to a job process by pipe. Not a verb: keys pass no door."""
        raise NotImplementedError

    # governance ---------------------------------------------------------------------------------------------------

    async def apply_command(self, tenant: str, request: governance.ApplyCommand) -> Report:
        """Apply a state command durably. Raises Refused with the engine's reason when it is refused."""
        raise NotImplementedError

    async def preview_command(self, tenant: str, request: governance.PreviewCommand) -> Report:
        """The report applying would give now; a refusal is a report here, not an error. Nothing is stored."""
        raise NotImplementedError

    async def scan(self, tenant: str, request: governance.Scan) -> msgspec.Raw:
        """Scan one code; the bytes are the ones every door gives."""
        raise NotImplementedError

    async def lookup(self, tenant: str, request: governance.LookUp) -> msgspec.Raw:
        """All that is known of a code, without counting; decodes as imp.results.Lookup."""
        raise NotImplementedError

    async def create_key(self, tenant: str, request: governance.CreateKey) -> governance.CreatedKey:
        """Make an API key; its secret is in this answer only."""
        raise NotImplementedError

    async def list_keys(self, tenant: str, request: governance.ListKeys) -> governance.Keys:
        """API keys without their secrets."""
        raise NotImplementedError

    async def revoke_key(self, tenant: str, request: governance.RevokeKey) -> governance.ApiKey:
        """Revoke an API key at once; again is harmless."""
        raise NotImplementedError

    async def authenticate(self, secret: str) -> governance.Principal:
        """Who an API key stands for; raises Unauthenticated. Not a verb."""
        raise NotImplementedError

    async def backup(self, tenant: str, request: governance.Backup) -> governance.BackedUp:
        """Copy engine, then database, to a new directory; `tenant` is ""."""
        raise NotImplementedError

    async def accept_restore(self, tenant: str, request: governance.AcceptRestore) -> governance.Status:
        """Accept the window a restore printed, so that claims are allowed again; `tenant` is ""."""
        raise NotImplementedError

    async def status(self, tenant: str, request: governance.StatusRequest) -> governance.Status:
        """Readiness, what waits and what an operator should act on; `tenant` is "" for all tenants."""
        raise NotImplementedError


class Verb(NamedTuple):
    """One row of the verb table. scope: the API key scope it needs over /v1, None for verbs only the machine's operator has."""

    name: str
    request: type[msgspec.Struct]
    response: Any
    scope: str | None
    needs_tenant: bool


def _verb(call: Callable[..., Awaitable[object]], scope: str | None, *, needs_tenant: bool = True) -> Verb:
    notes = call.__annotations__
    return Verb(call.__name__, notes["request"], notes["return"], scope, needs_tenant)


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        _verb(Control.add_tenant, None, needs_tenant=False),
        _verb(Control.list_tenants, None, needs_tenant=False),
        _verb(Control.add_domain, "write"),
        _verb(Control.put_product, "write"),
        _verb(Control.get_product, "read"),
        _verb(Control.list_products, "read"),
        _verb(Control.open_series, "write"),
        _verb(Control.renew_series, "write"),
        _verb(Control.list_series, "read"),
        _verb(Control.issue_order, "issue"),
        _verb(Control.import_aliases, "issue"),
        _verb(Control.get_order, "read"),
        _verb(Control.list_orders, "read"),
        _verb(Control.export_plan, "export"),
        _verb(Control.apply_command, "command"),
        _verb(Control.preview_command, "command"),
        _verb(Control.scan, "scan"),
        _verb(Control.lookup, "read"),
        _verb(Control.create_key, "keys"),
        _verb(Control.list_keys, "keys"),
        _verb(Control.revoke_key, "keys"),
        _verb(Control.backup, None, needs_tenant=False),
        _verb(Control.accept_restore, None, needs_tenant=False),
        _verb(Control.status, None, needs_tenant=False),
    )
}


async def dispatch(control: Control, verb: str, tenant: str, request: bytes) -> bytes:
    """Run a verb from JSON to JSON. Raises InvalidInput for an unknown verb or a request that does not fit its struct."""
    row = VERBS.get(verb)
    if row is None:
        raise invalid("verb", f"no such verb; known are {', '.join(VERBS)}")
    if row.needs_tenant and not tenant:
        raise invalid("tenant", "this verb needs a tenant")
    try:
        decoded = msgspec.json.decode(request or b"{}", type=row.request)
    except msgspec.DecodeError as error:
        raise invalid_request(error) from None
    return msgspec.json.encode(await getattr(control, verb)(tenant, decoded))
