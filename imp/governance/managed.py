"""The verbs of a managed directory: decisions and commands commit in SQL, the relay carries them to the engine."""

import random
from contextlib import AbstractAsyncContextManager

from imp.clock import Clock
from imp.database import Database
from imp.engine import NativeEngine
from imp.errors import Conflict
from imp.governance.models import OutboxEntry
from imp.governance.outbox import Work, working
from imp.governance.relay import Relay
from imp.governance.schemas import ApplyCommand
from imp.issuing import schemas as issuing
from imp.issuing import service as orders
from imp.registry import schemas as registry
from imp.registry import service
from imp.registry.key_spaces import DRAW
from imp.results import Report, report_of
from imp.wire import cut

__all__ = ["ManagedCommands"]


class ManagedCommands:
    """Commands and catalogue of a managed directory; the same methods as StandaloneCommands."""

    def __init__(
        self, database: Database, engine: NativeEngine, relay: Relay, clock: Clock, draw: random.Random = DRAW
    ) -> None:
        self._database = database
        self._engine = engine
        self._relay = relay
        self._clock = clock
        self._draw = draw

    async def list_tenants(self, request: registry.ListTenants) -> registry.Tenants:
        """See Control.list_tenants."""
        async with self._database.reading(None) as session:
            return await service.list_tenants(session, request)

    async def add_domain(self, tenant: str, request: registry.AddDomain, actor: str) -> registry.Domain:
        """See Control.add_domain."""
        async with self._working(tenant, actor) as work:
            row = await service.add_domain(work, request)
        await self._settled(row)
        async with self._database.reading(tenant) as session:
            return registry.Domain(host=request.host, free_slots=await service.free_slots(session, request.host))

    async def put_product(self, tenant: str, request: registry.PutProduct, actor: str) -> registry.Product:
        """See Control.put_product."""
        async with self._working(tenant, actor) as work:
            row = await service.put_product(work, request)
        await self._settled(row)
        return await self.get_product(tenant, registry.GetProduct(product=request.product))

    async def get_product(self, tenant: str, request: registry.GetProduct) -> registry.Product:
        """See Control.get_product."""
        async with self._database.reading(tenant) as session:
            return await service.get_product(session, request.product)

    async def list_products(self, tenant: str, request: registry.ListProducts) -> registry.Products:
        """See Control.list_products."""
        async with self._database.reading(tenant) as session:
            return await service.list_products(session, request)

    async def open_series(self, tenant: str, request: registry.OpenSeries, actor: str) -> registry.KeySpace:
        """See Control.open_series."""
        async with self._working(tenant, actor) as work:
            row = await service.open_series(work, request, self._draw)
        return await self._opened(row)

    async def renew_series(self, tenant: str, request: registry.RenewSeries, actor: str) -> registry.KeySpace:
        """See Control.renew_series."""
        async with self._working(tenant, actor) as work:
            row = await service.renew_series(work, request, self._draw)
        return await self._opened(row)

    async def order(self, tenant: str, request: issuing.OrderRequest, actor: str) -> Report:
        """Issue codes or import foreign ones; after a restore the series gets its new epoch first."""
        row = await self._enqueue_order(tenant, request, actor)
        if row is None:
            await self.renew_series(tenant, registry.RenewSeries(series=request.series), actor)
            row = await self._enqueue_order(tenant, request, actor)
        if row is None:
            raise Conflict(f"series {request.series!r} could not be renewed; orders wait for its next epoch")
        return await self._settled(row)

    async def _enqueue_order(self, tenant: str, request: issuing.OrderRequest, actor: str) -> OutboxEntry | None:
        async with self._working(tenant, actor) as work:
            return await orders.enqueue_order(work, request)

    async def order_page(self, tenant: str, request: issuing.ListOrders) -> tuple[list[str], str | None]:
        """Ids of a page of orders, oldest first, and where the next page starts."""
        async with self._database.reading(tenant) as session:
            return cut(await orders.order_page(session, request), request.limit, str)

    async def series_page(self, tenant: str, request: registry.ListSeries) -> tuple[list[str], str | None]:
        """Ids of a page of series, and where the next page starts."""
        async with self._database.reading(tenant) as session:
            return cut(await service.series_page(session, request), request.limit, str)

    async def apply(self, tenant: str, request: ApplyCommand, actor: str) -> Report:
        """See Control.apply_command."""
        async with self._working(tenant, actor) as work:
            row = await work.repeated(request) or await work.enqueue(request.command, request)
        return await self._settled(row)

    def _working(self, tenant: str, actor: str) -> AbstractAsyncContextManager[Work]:
        return working(self._database, self._engine, tenant, actor, self._clock)

    async def _settled(self, row: OutboxEntry) -> Report:
        result = await self._relay.settled(row.tenant, row.seq)
        return report_of(result.report)

    async def _opened(self, row: OutboxEntry) -> registry.KeySpace:
        await self._settled(row)
        async with self._database.reading(row.tenant) as session:
            return await service.read_key_space(session, row.seq)
