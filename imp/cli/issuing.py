"""`imp issue`, `imp order`."""

from datetime import UTC, datetime

import click

from imp.cli import output
from imp.cli.options import Session, event_option, with_session
from imp.cli.registry import after_option, limit_option, say_next
from imp.commands import CODES_PER_ORDER_MAX
from imp.issuing.schemas import GetOrder, Issued, IssueOrder, ListOrders, Orders
from imp.results import Order, StateCounts


def micros_of(moment: datetime | None) -> int | None:
    """Microseconds since the epoch of a moment given in UTC."""
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000


@click.command("issue")
@click.argument("order")
@click.option("--series", required=True)
@click.option("--quantity", type=click.IntRange(1, CODES_PER_ORDER_MAX), required=True)
@click.option("--product")
@click.option("--lot")
@click.option(
    "--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="UTC; scans then answer expired."
)
@click.option(
    "--word-filter/--no-word-filter", default=True, show_default=True, help="Skip codes that contain an offensive word."
)
@event_option
@with_session
def issue_(
    opened: Session,
    *,
    order: str,
    series: str,
    quantity: int,
    product: str | None,
    lot: str | None,
    expires: datetime | None,
    word_filter: bool,
    event_id: str | None,
) -> None:
    """Issue ORDER: that many new codes of a series. The same again answers the same and issues nothing."""
    request = IssueOrder(
        order=order,
        series=series,
        quantity=quantity,
        product=product,
        lot=lot,
        expires_at_us=micros_of(expires),
        word_list=1 if word_filter else 0,
        event_id=event_id,
    )
    with output.busy(f"issuing {quantity:,} codes"):
        answer = opened.door.raw("issue_order", opened.tenant, request)
    opened.print(answer, Issued, show_issued)


@click.group("order")
def order_() -> None:
    """Orders: codes issued or imported together."""


@order_.command("show")
@click.argument("order")
@with_session
def show_order(opened: Session, order: str) -> None:
    """One order with exact counts by state."""
    opened.answer("get_order", GetOrder(order=order), Order, _show_order)


@order_.command("list")
@after_option
@limit_option
@with_session
def list_orders(opened: Session, after: str | None, limit: int) -> None:
    """Orders, oldest first."""
    opened.answer("list_orders", ListOrders(after=after, limit=limit), Orders, _show_orders)


def show_issued(issued: Issued) -> None:
    """Print an issued or imported order."""
    _show_order(issued.order)
    if issued.odds_one_in is not None:
        output.facts([("guess odds", f"1 : {issued.odds_one_in:,.0f}")])
    for warning in issued.warnings:
        output.warn(warning)


def states_text(counts: StateCounts) -> list[str]:
    """Counts by state, those that are not zero."""
    return [f"{count:,} {name}" for name in StateCounts.__struct_fields__ if (count := getattr(counts, name))]


def _show_order(order: Order) -> None:
    output.facts(
        [
            ("order", order.order),
            ("series", order.series),
            ("epoch", order.epoch),
            ("product", order.product),
            ("lot", order.lot),
            ("quantity", order.quantity),
            ("states", states_text(order.by_state)),
            ("expires", output.day_time(order.expires_at_us)),
            ("holds", order.holds),
        ]
    )


def _show_orders(page: Orders) -> None:
    rows = [
        (row.order, row.series, row.product, row.lot, row.quantity, states_text(row.by_state)) for row in page.orders
    ]
    output.table("", ("order", "series", "product", "lot", "quantity", "states"), rows)
    say_next(page.next)
