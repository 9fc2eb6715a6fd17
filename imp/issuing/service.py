"""What issuing decides: when the same order comes again, and that an order after a restore waits for a fresh epoch."""

import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from imp.database import TenantRepository
from imp.errors import Conflict, NotFound
from imp.governance.models import OutboxEntry
from imp.governance.outbox import Work
from imp.issuing import schemas
from imp.issuing.models import OrderEntry
from imp.registry.service import SeriesRepository, applied_epoch
from imp.wire import digest_of

__all__ = ["enqueue_order", "order_page"]


class OrderRepository(TenantRepository[OrderEntry]):
    model_type = OrderEntry


async def enqueue_order(work: Work, request: schemas.OrderRequest) -> OutboxEntry | None:
    """Ask the engine for an order. The same order again answers the same, other content is a Conflict; a refused id
    is free.

    None: nothing was enqueued because the series must be renewed first (a restore may have brought back used serials).
    """
    if (row := await work.repeated(request)) is not None:
        return row
    orders = OrderRepository(work.session)
    order = await orders.get_one_or_none(order=request.order)
    if order is not None:
        earlier = await work.outbox.get_one(seq=order.seq)
        if earlier.status != "refused":
            if earlier.digest != await asyncio.to_thread(digest_of, request):
                raise Conflict(f"order {request.order!r} exists with other content; hint: choose another order id")
            return earlier
        await work.session.delete(order)
        await work.session.flush()
    series = await SeriesRepository(work.session).get_one_or_none(series=request.series)
    if series is None:
        raise NotFound(f"there is no series {request.series!r}")
    if await applied_epoch(work.session, request.series) < series.orders_need_epoch:
        return None
    row = await work.enqueue(schemas.order_command(request), request)
    is_issue = isinstance(request, schemas.IssueOrder)
    work.session.add(
        OrderEntry(
            tenant=work.tenant,
            order=request.order,
            seq=row.seq,
            series=request.series,
            quantity=request.quantity if is_issue else len(request.texts),
            product=request.product,
            lot=request.lot,
            expires_at_us=request.expires_at_us if is_issue else None,
            created_at_us=work.now_us,
        )
    )
    return row


async def order_page(session: AsyncSession, request: schemas.ListOrders) -> list[str]:
    """Ids of issued orders, oldest first, one more than the limit when there are more."""
    orders = OrderRepository(session)
    after = None
    if request.after is not None:
        last = await orders.get_one_or_none(order=request.after)
        if last is None:
            raise NotFound(f"there is no order {request.after!r}")
        after = last.seq
    applied = select(OutboxEntry.seq).where(
        OutboxEntry.tenant == OrderEntry.tenant, OutboxEntry.seq == OrderEntry.seq, OutboxEntry.status == "applied"
    )
    return [row.order for row in await orders.page(OrderEntry.seq, after, request.limit + 1, applied.exists())]
