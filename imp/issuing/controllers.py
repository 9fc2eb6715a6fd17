"""Issuing over the API: orders, imports of foreign codes, an order's codes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream

from imp.auth import needs
from imp.commands import Id
from imp.control import Control
from imp.engine import NativeEngine
from imp.governance.schemas import Principal
from imp.issuing import schemas
from imp.issuing.export.schemas import Export
from imp.issuing.export.service import plan_job
from imp.issuing.streaming import MEDIA_TYPES, Places, StreamForm, stream
from imp.results import Order
from imp.wire import PageSize


def provide_stream_places(request: Request[Any, Any, Any]) -> Places:
    """Dependency: the places for streams of the whole server."""
    return cast("Places", request.app.state.stream_places)


class Orders(Controller):
    """Orders of codes."""

    path = "/orders"
    tags = ("issuing",)

    @post(opt=needs("issue_order"), summary="Issue an order of codes")
    async def issue_order(
        self,
        data: JSONBody[schemas.IssueOrder],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.Issued:
        """The same order again answers the same; other content under its id is 409."""
        return await control.issue_order(principal.tenant, data)

    @post("/imports", opt=needs("import_aliases"), summary="Import foreign codes as an order")
    async def import_aliases(
        self,
        data: JSONBody[schemas.ImportAliases],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.Issued:
        """Codes of a replaced supplier, EPC/TID or NFC UIDs get state and scans like issued ones."""
        return await control.import_aliases(principal.tenant, data)

    @get(opt=needs("list_orders"), summary="List orders")
    async def list_orders(
        self,
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
        after: FromQuery[Id | None] = None,
        limit: FromQuery[PageSize] = 50,
    ) -> schemas.Orders:
        """Oldest first; `after` is the `next` of the page before."""
        return await control.list_orders(principal.tenant, schemas.ListOrders(after=after, limit=limit))

    @get("/{order:str}", opt=needs("get_order"), summary="Get an order")
    async def get_order(
        self,
        order: FromPath[Id],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> Order:
        """One order with exact counts by state."""
        return await control.get_order(principal.tenant, schemas.GetOrder(order=order))

    @get(
        "/{order:str}/codes",
        opt=needs("export_plan"),
        summary="Stream an order's codes",
        responses={200: ResponseSpec(bytes, media_type="text/csv", description="CSV or Parquet, by `form`.")},
    )
    async def stream_codes(
        self,
        *,
        order: FromPath[Id],
        engine: NamedDependency[NativeEngine],
        stream_places: NamedDependency[Places],
        principal: NamedDependency[Principal],
        form: FromQuery[StreamForm] = "csv",
        include_frozen: FromQuery[bool] = False,
    ) -> Stream:
        """All codes that are not void; 409 while items are frozen or recalled, unless `include_frozen`.

        503 with `Retry-After` while two other orders are being streamed. A transfer that breaks off is not the whole
        order.
        """
        tenant = principal.tenant
        asked = Export(order=order, to="-", form=form, include_frozen=include_frozen)
        job = await asyncio.to_thread(plan_job, engine, tenant, asked)
        rows = stream(msgspec.json.encode(job), engine.export_keys(tenant, order), stream_places)
        first = await anext(rows, b"")  # a failure to start is still a problem, not a broken stream
        return Stream(
            _after(first, rows),
            media_type=MEDIA_TYPES[form],
            headers={"content-disposition": f'attachment; filename="{order}.{form}"', "cache-control": "no-store"},
        )


async def _after(first: bytes, rows: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rows):
        yield first
        async for piece in rows:
            yield piece
