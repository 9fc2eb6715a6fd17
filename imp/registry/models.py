"""Tables of the registry.

A row made by a command names its outbox row by `seq`, and that one says whether it was applied.
"""

from sqlalchemy import ForeignKeyConstraint, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from imp.database import TenantRow


class TenantEntry(TenantRow):
    """A brand owner."""

    __tablename__ = "tenant"
    name: Mapped[str] = mapped_column(String(200))
    created_at_us: Mapped[int]


class ScanDomain(TenantRow):
    """A host name under which one tenant's codes live; no two tenants share one."""

    __tablename__ = "scan_domain"
    host: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int]
    __table_args__ = (ForeignKeyConstraint(["tenant"], ["tenant.tenant"]), UniqueConstraint("host"))


class ProductEntry(TenantRow):
    """A product as scans show it."""

    __tablename__ = "product"
    product: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    gtin: Mapped[str | None] = mapped_column(String(14))
    name_en: Mapped[str | None] = mapped_column(String(200))
    brand: Mapped[str | None] = mapped_column(String(200))
    brand_en: Mapped[str | None] = mapped_column(String(200))
    recall_instructions: Mapped[str | None] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(String(2_048))
    __table_args__ = (ForeignKeyConstraint(["tenant"], ["tenant.tenant"]),)


class SeriesEntry(TenantRow):
    """A family of serials. orders_need_epoch: orders wait for an epoch of at least this number (after a restore)."""

    __tablename__ = "series"
    series: Mapped[str] = mapped_column(String(64), primary_key=True)
    host: Mapped[str] = mapped_column(String(64))
    format: Mapped[str] = mapped_column(String(16))
    level: Mapped[str] = mapped_column(String(16))
    pairing: Mapped[str] = mapped_column(String(16))
    key_bits: Mapped[int] = mapped_column(Integer)
    faces: Mapped[str] = mapped_column(String(32))
    orders_need_epoch: Mapped[int] = mapped_column(default=0)
    __table_args__ = (ForeignKeyConstraint(["tenant", "host"], ["scan_domain.tenant", "scan_domain.host"]),)


class KeySpaceEntry(TenantRow):
    """One epoch of a series."""

    __tablename__ = "key_space"
    series: Mapped[str] = mapped_column(String(64), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    __table_args__ = (ForeignKeyConstraint(["tenant", "series"], ["series.tenant", "series.series"]),)


class SlotAllocation(TenantRow):
    """A slot is given out once per scan domain and format and never again, whatever became of its key space."""

    __tablename__ = "slot_allocation"
    host: Mapped[str] = mapped_column(String(64), primary_key=True)
    format: Mapped[str] = mapped_column(String(16), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    series: Mapped[str] = mapped_column(String(64))
    epoch: Mapped[int]
    face: Mapped[str] = mapped_column(String(8))
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "series", "epoch"], ["key_space.tenant", "key_space.series", "key_space.epoch"]
        ),
        UniqueConstraint("host", "format", "slot"),
    )
