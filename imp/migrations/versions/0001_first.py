"""The first schema: tenants, registry, orders, outbox, API keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenant",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenant")),
    )
    op.create_table(
        "api_key",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.tenant"], name=op.f("fk_api_key_tenant_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
    )
    op.create_table(
        "outbox",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("command", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=True),
        sa.Column("settled_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.tenant"], name=op.f("fk_outbox_tenant_tenant")),
        sa.PrimaryKeyConstraint("tenant", "seq", name=op.f("pk_outbox")),
        sa.UniqueConstraint("tenant", "event_id", name=op.f("uq_outbox_tenant")),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["tenant", "seq"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_table(
        "product",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=True),
        sa.Column("name_en", sa.String(length=200), nullable=True),
        sa.Column("brand", sa.String(length=200), nullable=True),
        sa.Column("brand_en", sa.String(length=200), nullable=True),
        sa.Column("recall_instructions", sa.Text(), nullable=True),
        sa.Column("link", sa.String(length=2048), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.tenant"], name=op.f("fk_product_tenant_tenant")),
        sa.PrimaryKeyConstraint("tenant", "product", name=op.f("pk_product")),
    )
    op.create_table(
        "scan_domain",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.tenant"], name=op.f("fk_scan_domain_tenant_tenant")),
        sa.PrimaryKeyConstraint("tenant", "host", name=op.f("pk_scan_domain")),
        sa.UniqueConstraint("host", name=op.f("uq_scan_domain_host")),
    )
    op.create_table(
        "tenant_sequence",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.tenant"], name=op.f("fk_tenant_sequence_tenant_tenant")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenant_sequence")),
    )
    op.create_table(
        "series",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("pairing", sa.String(length=16), nullable=False),
        sa.Column("key_bits", sa.Integer(), nullable=False),
        sa.Column("faces", sa.String(length=32), nullable=False),
        sa.Column("orders_need_epoch", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "host"], ["scan_domain.tenant", "scan_domain.host"], name=op.f("fk_series_tenant_scan_domain")
        ),
        sa.PrimaryKeyConstraint("tenant", "series", name=op.f("pk_series")),
    )
    op.create_table(
        "issue_order",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=True),
        sa.Column("lot", sa.String(length=20), nullable=True),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=True),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "series"], ["series.tenant", "series.series"], name=op.f("fk_issue_order_tenant_series")
        ),
        sa.PrimaryKeyConstraint("tenant", "order_id", name=op.f("pk_issue_order")),
    )
    op.create_index("ix_issue_order_tenant_seq", "issue_order", ["tenant", "seq"], unique=False)
    op.create_table(
        "key_space",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "series"], ["series.tenant", "series.series"], name=op.f("fk_key_space_tenant_series")
        ),
        sa.PrimaryKeyConstraint("tenant", "series", "epoch", name=op.f("pk_key_space")),
    )
    op.create_table(
        "slot_allocation",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("face", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "series", "epoch"],
            ["key_space.tenant", "key_space.series", "key_space.epoch"],
            name=op.f("fk_slot_allocation_tenant_key_space"),
        ),
        sa.PrimaryKeyConstraint("tenant", "host", "format", "slot", name=op.f("pk_slot_allocation")),
        sa.UniqueConstraint("host", "format", "slot", name=op.f("uq_slot_allocation_host")),
    )


def downgrade() -> None:
    for table in (
        "slot_allocation",
        "key_space",
        "issue_order",
        "series",
        "tenant_sequence",
        "scan_domain",
        "product",
        "outbox",
        "api_key",
        "tenant",
    ):
        op.drop_table(table)
