"""Tables of issuing."""

from sqlalchemy import ForeignKeyConstraint, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from imp.database import TenantRow


class OrderEntry(TenantRow):
    """Who asked for which codes. `seq` is the outbox row that issues it; what the order holds now, the engine knows."""

    __tablename__ = "issue_order"
    order: Mapped[str] = mapped_column("order_id", String(64), primary_key=True)
    seq: Mapped[int]
    series: Mapped[str] = mapped_column(String(64))
    quantity: Mapped[int] = mapped_column(Integer)
    product: Mapped[str | None] = mapped_column(String(64))
    lot: Mapped[str | None] = mapped_column(String(20))
    expires_at_us: Mapped[int | None]
    created_at_us: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(["tenant", "series"], ["series.tenant", "series.series"]),
        Index("ix_issue_order_tenant_seq", "tenant", "seq"),
    )
