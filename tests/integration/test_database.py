"""Goal: no statement can reach another tenant's rows, and both databases have the schema the models describe.

Method: two tenants with rows in every table; every kind of statement the ORM knows is run in a session of one of them.
"""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, event, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from imp.database import Database, Row, TenantRepository, TenantRow
from imp.errors import Conflict, IncompatibleData, InvalidInput, StorageError
from imp.governance import keys, managed
from imp.governance.models import ApiKeyEntry, OutboxEntry, TenantSequence
from imp.issuing.models import OrderEntry
from imp.migrations import HEAD, migrate
from imp.registry.models import KeySpaceEntry, ProductEntry, ScanDomain, SeriesEntry, SlotAllocation, TenantEntry

USERS_OF_REPOSITORIES = (keys, managed)  # their imports define every repository there is


def rows_of(tenant: str) -> list[TenantRow]:
    """A row in every table, parents before children."""
    host = f"{tenant}.example"
    return [
        TenantEntry(tenant=tenant, name=tenant, created_at_us=1),
        TenantSequence(tenant=tenant, seq=1),
        OutboxEntry(
            tenant=tenant,
            seq=1,
            event_id="1" * 32,
            digest=bytes(32),
            at_us=1,
            actor="a",
            command=b"{}",
            status="waiting",
        ),
        ApiKeyEntry(
            tenant=tenant,
            id="k",
            name="k",
            prefix=tenant,
            digest=bytes(32),
            role="system",
            scopes="scan",
            created_at_us=1,
        ),
        ScanDomain(tenant=tenant, host=host, seq=1),
        ProductEntry(tenant=tenant, product="p", seq=1, name="p"),
        SeriesEntry(
            tenant=tenant,
            series="s",
            host=host,
            format="base32",
            level="item",
            pairing="single",
            key_bits=128,
            faces="outer",
            orders_need_epoch=0,
        ),
        KeySpaceEntry(tenant=tenant, series="s", epoch=1, seq=1),
        SlotAllocation(tenant=tenant, host=host, format="base32", slot=7, series="s", epoch=1, face="outer"),
        OrderEntry(tenant=tenant, order="o", seq=1, series="s", quantity=1, created_at_us=1),
    ]


@pytest.fixture
async def furnished(database: Database) -> Database:
    for tenant in ("ours", "theirs"):
        async with database.writing(tenant) as session:
            for row in rows_of(tenant):
                session.add(row)
                await session.flush()
    return database


TABLES = [mapper.class_ for mapper in Row.registry.mappers if issubclass(mapper.class_, TenantRow)]


def test_every_table_belongs_to_tenants_and_is_tried() -> None:
    tables = {mapper.class_ for mapper in Row.registry.mappers}
    assert tables == set(TABLES) == {type(row) for row in rows_of("x")}
    assert all(next(iter(table.__table__.primary_key)).name == "tenant" for table in TABLES)


def test_every_repository_is_one_of_a_tenant() -> None:
    models = {repository.model_type for repository in TenantRepository.__subclasses__()}
    assert models <= set(TABLES)
    assert len(models) >= 7


async def test_a_session_sees_changes_and_deletes_only_its_tenants_rows(furnished: Database) -> None:
    for table in reversed(TABLES):
        async with furnished.reading("ours") as session:
            assert {row.tenant for row in await session.scalars(select(table))} == {"ours"}
            assert await session.scalar(select(func.count()).select_from(table)) == 1
            assert await session.scalar(select(table.tenant).where(table.tenant == "theirs")) is None
        async with furnished.writing("ours") as session:
            column = next(column for column in table.__table__.columns if not column.primary_key)
            changed = await session.execute(update(table).values({column.name: getattr(table, column.key)}))
            assert changed.rowcount == 1
    with pytest.raises(Conflict):  # children stand in the way, but none of theirs is touched either
        async with furnished.writing("ours") as session:
            await session.execute(delete(TenantEntry))
    async with furnished.writing("ours") as session:
        assert (await session.execute(delete(OrderEntry))).rowcount == 1
    async with furnished.reading(None) as session:
        assert [row.tenant for row in await session.scalars(select(OrderEntry))] == ["theirs"]


async def test_repositories_carry_the_tenant_in_every_statement(furnished: Database) -> None:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    async def use(session: AsyncSession, repository: type[TenantRepository[TenantRow]]) -> None:
        rows = repository(session)
        assert {row.tenant for row in await rows.get_many()} == {"ours"}
        assert await rows.count() == 1
        assert {row.tenant for row in await rows.page(rows.model_type.tenant, None, 10)} == {"ours"}
        assert await rows.get_one_or_none(tenant="theirs") is None
        assert not await rows.exists(tenant="theirs")

    event.listen(furnished._engine.sync_engine, "before_cursor_execute", note)
    for repository in TenantRepository.__subclasses__():
        async with furnished.reading("ours") as session:
            await use(session, repository)
    asked = [statement for statement in seen if statement.startswith(("SELECT", "UPDATE", "DELETE"))]
    assert len(asked) >= 5 * len(TenantRepository.__subclasses__())
    assert all("tenant = " in statement.partition("WHERE")[2] for statement in asked)


async def test_a_session_refuses_to_write_another_tenants_row(furnished: Database) -> None:
    with pytest.raises(InvalidInput):
        async with furnished.writing("ours") as session:
            session.add(ProductEntry(tenant="theirs", product="x", seq=1, name="x"))


async def test_a_host_and_a_slot_belong_to_one_tenant(furnished: Database) -> None:
    with pytest.raises(Conflict):
        async with furnished.writing("ours") as session:
            session.add(ScanDomain(tenant="ours", host="theirs.example", seq=1))


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def half() -> None:
        async with database.writing("ours") as session:
            session.add(TenantEntry(tenant="ours", name="x", created_at_us=1))
            await session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half()
    assert not await database.has_tenants()


async def test_migrations_make_the_schema_of_the_models(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Row.metadata)

    async with database.migrating() as connection:
        assert await connection.run_sync(differences) == []
    assert ScriptDirectory("imp/migrations").get_heads() == [HEAD]


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    async with database.migrating() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(IncompatibleData, match="9999"):
        await migrate(database)


async def test_an_unreachable_database_is_a_storage_error() -> None:
    database = Database("postgresql://imp@/none?host=/nonexistent")
    with pytest.raises(StorageError):
        await database.has_tenants()
    await database.close()


def test_other_databases_are_refused() -> None:
    with pytest.raises(InvalidInput, match="database_url"):
        Database("mysql://localhost/x")
