"""Tables of governance: the outbox of commands and the API keys."""

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from imp.database import TenantRow


class TenantSequence(TenantRow):
    """Last outbox seq given out. Its row lock is held until commit, so commit order is seq order."""

    __tablename__ = "tenant_sequence"
    seq: Mapped[int] = mapped_column(default=0)
    __table_args__ = (ForeignKeyConstraint(["tenant"], ["tenant.tenant"]),)


class OutboxEntry(TenantRow):
    """A command on its way to the engine. status: waiting, then applied or refused for ever.

    digest: of the request that made it, so that an event id cannot come back with another request.
    """

    __tablename__ = "outbox"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[str] = mapped_column(String(32))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    at_us: Mapped[int]
    actor: Mapped[str] = mapped_column(String(128))
    command: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(String(8), default="waiting")
    report: Mapped[bytes | None] = mapped_column(LargeBinary)
    settled_at_us: Mapped[int | None]
    __table_args__ = (
        ForeignKeyConstraint(["tenant"], ["tenant.tenant"]),
        UniqueConstraint("tenant", "event_id"),
        Index(
            "ix_outbox_waiting",
            "tenant",
            "seq",
            sqlite_where=text("status = 'waiting'"),
            postgresql_where=text("status = 'waiting'"),
        ),
    )


class ApiKeyEntry(TenantRow):
    """An API key: only the SHA-256 of its 256 random bits is kept, so a stolen database opens nothing."""

    __tablename__ = "api_key"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    role: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[str] = mapped_column(String(200))
    created_at_us: Mapped[int]
    revoked_at_us: Mapped[int | None]
    __table_args__ = (ForeignKeyConstraint(["tenant"], ["tenant.tenant"]),)
