"""Requests and responses of issuing: orders, imports, what an export needs."""

from typing import Literal

import msgspec

from imp import commands
from imp.commands import CodeTexts, Id, Lot, Micros, Quantity
from imp.results import Order, Report
from imp.wire import CommandRequest, PageRequest, Request, Response


class IssueOrder(CommandRequest, frozen=True, kw_only=True):
    """Issue codes.

    The order id makes it idempotent: the same content again answers the same order, other content is a Conflict.
    """

    order: Id
    series: Id
    quantity: Quantity
    product: Id | None = None
    lot: Lot | None = None
    expires_at_us: Micros | None = None
    word_list: Literal[0, 1] = 1


class ImportAliases(CommandRequest, frozen=True, kw_only=True):
    """Take foreign codes (another supplier's, EPC/TID, NFC UID) in as an order of a keyless series."""

    order: Id
    series: Id
    texts: CodeTexts
    product: Id | None = None
    lot: Lot | None = None
    fold_case: bool = False


OrderRequest = IssueOrder | ImportAliases


class Issued(Response, frozen=True, kw_only=True):
    """odds_one_in: a random guess passes once in so many tries (None for imports); warnings: plain sentences."""

    order: Order
    report: Report
    odds_one_in: float | None = None
    warnings: list[str] = msgspec.field(default_factory=list[str])


class GetOrder(Request, frozen=True, kw_only=True):
    order: Id


class ListOrders(PageRequest, frozen=True, kw_only=True):
    pass


class Orders(Response, frozen=True, kw_only=True):
    """Oldest first."""

    orders: list[Order]
    next: str | None = None


class PlanExport(Request, frozen=True, kw_only=True):
    order: Id
    include_frozen: bool = False


def order_command(request: OrderRequest) -> commands.Issue | commands.ImportAliases:
    """The engine's command for a request."""
    fields = {name: getattr(request, name) for name in request.__struct_fields__ if name != "event_id"}
    return commands.Issue(**fields) if isinstance(request, IssueOrder) else commands.ImportAliases(**fields)
