"""The verbs of a standalone directory: no SQL and no tenants to add; what there is, the engine knows.

Slots and nonces are drawn here, and each command takes the tenant's next seq at once, one after the other.
"""

import asyncio
import random
import uuid
from collections import defaultdict

import msgspec

from imp.actor import accepted_actor
from imp.clock import Clock
from imp.commands import Command, FaceSlot, SetDomain, SetProduct, encode
from imp.engine import NativeEngine
from imp.errors import Conflict, NotFound
from imp.governance.event_ids import EventIds
from imp.governance.schemas import ApplyCommand
from imp.issuing import schemas as issuing
from imp.registry import schemas as registry
from imp.registry.key_spaces import (
    DRAW,
    FIRST_EPOCH,
    SLOT_COUNTS,
    check_series,
    draw_slots,
    in_order,
    key_space_command,
)
from imp.results import Catalogue, CatalogueKeySpace, Order, Report, report_of
from imp.wire import CommandRequest, cut, digest_of

__all__ = ["StandaloneCommands"]


class StandaloneCommands:
    """Commands and catalogue of a standalone directory; the same methods as ManagedCommands.

    orders_need_epoch: by tenant and series; orders wait for an epoch of at least this number (after a restore).
    """

    def __init__(
        self,
        engine: NativeEngine,
        event_ids: EventIds,
        orders_need_epoch: dict[str, dict[str, int]],
        clock: Clock,
        draw: random.Random = DRAW,
    ) -> None:
        self._engine = engine
        self._event_ids = event_ids
        self._orders_need_epoch = orders_need_epoch
        self._clock = clock
        self._draw = draw
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def list_tenants(self, request: registry.ListTenants) -> registry.Tenants:
        """Tenants that have given a command; they have no other name and no date."""
        names = sorted(name for name in self._engine.last_seqs() if request.after is None or name > request.after)
        found = [registry.Tenant(tenant=name, name=name, created_at_us=0) for name in names]
        rows, following = cut(found, request.limit, lambda row: row.tenant)
        return registry.Tenants(tenants=rows, next=following)

    async def add_domain(self, tenant: str, request: registry.AddDomain, actor: str) -> registry.Domain:
        """See Control.add_domain."""
        async with self._turns[tenant]:
            catalogue = await asyncio.to_thread(self._catalogue, tenant)
            if request.host not in catalogue.domains:
                await self._apply(tenant, SetDomain(host=request.host), request, actor)
        taken = {name: len(_taken(catalogue, request.host, name)) for name in SLOT_COUNTS}
        return registry.Domain(
            host=request.host, free_slots={name: total - taken[name] for name, total in SLOT_COUNTS.items()}
        )

    async def put_product(self, tenant: str, request: registry.PutProduct, actor: str) -> registry.Product:
        """See Control.put_product."""
        fields = {name: getattr(request, name) for name in request.__struct_fields__ if name != "event_id"}
        async with self._turns[tenant]:
            await self._apply(tenant, SetProduct(**fields), request, actor)
        return registry.Product(**fields)

    async def get_product(self, tenant: str, request: registry.GetProduct) -> registry.Product:
        """See Control.get_product."""
        for product in await asyncio.to_thread(self._products, tenant):
            if product.product == request.product:
                return product
        raise NotFound(f"there is no product {request.product!r}")

    async def list_products(self, tenant: str, request: registry.ListProducts) -> registry.Products:
        """See Control.list_products."""
        products = await asyncio.to_thread(self._products, tenant)
        found = [row for row in products if request.after is None or row.product > request.after]
        rows, following = cut(found, request.limit, lambda row: row.product)
        return registry.Products(products=rows, next=following)

    async def open_series(self, tenant: str, request: registry.OpenSeries, actor: str) -> registry.KeySpace:
        """See Control.open_series."""
        check_series(request)
        async with self._turns[tenant]:
            newest = self._newest(tenant, request.series)
            if newest is None:
                return await self._open_epoch(tenant, request, FIRST_EPOCH, request, actor)
            if _content(request) != _content(_series_request(newest)):
                raise Conflict(
                    f"series {request.series!r} exists with other content; hint: a change needs a series of its own"
                )
            return _key_space(newest)

    async def renew_series(self, tenant: str, request: registry.RenewSeries, actor: str) -> registry.KeySpace:
        """See Control.renew_series."""
        async with self._turns[tenant]:
            return await self._renew(tenant, request, actor)

    async def order(self, tenant: str, request: issuing.OrderRequest, actor: str) -> Report:
        """Issue codes or import foreign ones; after a restore the series gets its new epoch first."""
        async with self._turns[tenant]:
            newest = self._newest(tenant, request.series)
            needed = self._orders_need_epoch.get(tenant, {}).get(request.series, 0)
            if newest is not None and newest.epoch < needed and not self._has_order(tenant, request.order):
                await self._renew(tenant, registry.RenewSeries(series=request.series), actor)
            return await self._apply(tenant, issuing.order_command(request), request, actor)

    async def order_page(self, tenant: str, request: issuing.ListOrders) -> tuple[list[str], str | None]:
        """Ids of a page of orders, oldest first, and where the next page starts."""
        names = await asyncio.to_thread(self._order_names, tenant)
        if request.after is not None:
            if request.after not in names:
                raise NotFound(f"there is no order {request.after!r}")
            names = names[names.index(request.after) + 1 :]
        return cut(names, request.limit, str)

    async def series_page(self, tenant: str, request: registry.ListSeries) -> tuple[list[str], str | None]:
        """Ids of a page of series, and where the next page starts."""
        catalogue = await asyncio.to_thread(self._catalogue, tenant)
        names = {space.series for space in catalogue.key_spaces}
        return cut(sorted(name for name in names if request.after is None or name > request.after), request.limit, str)

    async def apply(self, tenant: str, request: ApplyCommand, actor: str) -> Report:
        """See Control.apply_command."""
        async with self._turns[tenant]:
            return await self._apply(tenant, request.command, request, actor)

    async def _apply(self, tenant: str, command: Command, request: CommandRequest, actor: str) -> Report:
        accepted_actor(actor)
        return report_of(await asyncio.to_thread(self._apply_once, tenant, command, request, actor))

    def _apply_once(self, tenant: str, command: Command, request: CommandRequest, actor: str) -> bytes:
        event_id = request.event_id or uuid.uuid4().hex
        if request.event_id is not None and (known := self._repeated(tenant, request, event_id)) is not None:
            return known
        seq = self._engine.last_seq(tenant) + 1
        return self._engine.apply(tenant, event_id, seq, self._clock(), actor, encode(command))

    def _repeated(self, tenant: str, request: CommandRequest, event_id: str) -> bytes | None:
        """The report an earlier request with this event id got. Conflict when that was another request."""
        digest = digest_of(request)
        known = self._engine.applied(tenant, event_id)
        if known is None:
            self._event_ids.note(tenant, event_id, digest)  # before it is used: a crash between leaves no id unnoted
        elif self._event_ids.digest(tenant, event_id) not in (None, digest):
            raise Conflict(f"event id {event_id} was used for another request")
        return known

    async def _renew(self, tenant: str, request: registry.RenewSeries, actor: str) -> registry.KeySpace:
        newest = self._newest(tenant, request.series)
        if newest is None:
            raise NotFound(f"there is no series {request.series!r}")
        needed = self._orders_need_epoch.get(tenant, {}).get(request.series, 0)
        return await self._open_epoch(tenant, _series_request(newest), max(newest.epoch + 1, needed), request, actor)

    async def _open_epoch(
        self, tenant: str, content: registry.OpenSeries, epoch: int, request: CommandRequest, actor: str
    ) -> registry.KeySpace:
        catalogue = await asyncio.to_thread(self._catalogue, tenant)
        taken = _taken(catalogue, content.domain, content.format)
        slots = draw_slots(self._draw, content.format, taken, content.faces)
        await self._apply(tenant, key_space_command(content, epoch, slots, self._draw), request, actor)
        opened = self._newest(tenant, content.series)
        if opened is None:
            raise NotFound(f"there is no series {content.series!r}")
        return _key_space(opened)

    def _catalogue(self, tenant: str) -> Catalogue:
        return msgspec.json.decode(self._engine.catalogue(tenant), type=Catalogue)

    def _products(self, tenant: str) -> list[registry.Product]:
        found = sorted(self._catalogue(tenant).products, key=lambda row: row.product)
        return [registry.Product(product=row.product, name=row.name, gtin=row.gtin) for row in found]

    def _order_names(self, tenant: str) -> list[str]:
        return [order.order for order in msgspec.json.decode(self._engine.orders(tenant), type=list[Order])]

    def _newest(self, tenant: str, series: str) -> CatalogueKeySpace | None:
        try:
            return msgspec.json.decode(self._engine.key_space(tenant, series), type=CatalogueKeySpace)
        except NotFound:
            return None

    def _has_order(self, tenant: str, order: str) -> bool:
        try:
            self._engine.order(tenant, order)
        except NotFound:
            return False
        return True


def _taken(catalogue: Catalogue, host: str, format_name: str) -> set[int]:
    spaces = [space for space in catalogue.key_spaces if (space.domain, space.format) == (host, format_name)]
    return {face.slot for space in spaces for face in space.faces}


def _content(request: registry.OpenSeries) -> registry.OpenSeries:
    """What makes two requests the same series."""
    return msgspec.structs.replace(request, event_id=None, faces=tuple(in_order(request.faces)))


def _series_request(space: CatalogueKeySpace) -> registry.OpenSeries:
    return registry.OpenSeries(
        series=space.series,
        domain=space.domain,
        format=space.format,
        level=space.level,
        pairing=space.pairing,
        key_bits=256 if space.key_bits == 256 else 128,
        faces=tuple(face.face for face in space.faces),
    )


def _key_space(space: CatalogueKeySpace) -> registry.KeySpace:
    return registry.KeySpace(
        series=space.series,
        epoch=space.epoch,
        domain=space.domain,
        format=space.format,
        level=space.level,
        pairing=space.pairing,
        key_bits=space.key_bits,
        faces=[FaceSlot(face.face, face.slot) for face in space.faces],
    )
