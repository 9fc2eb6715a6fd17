"""Bringing a governance database to the schema of this version; the same steps on SQLite and PostgreSQL."""

from sqlalchemy import Connection, inspect, text

from imp.database import Database
from imp.errors import IncompatibleData

__all__ = ["HEAD", "migrate"]

HEAD = "0001"
"""Revision this version of IMP works with."""


async def migrate(database: Database) -> None:
    """Upgrade the schema to HEAD. Raises IncompatibleData when a newer version of IMP has been here."""
    async with database.migrating() as connection:
        revision = await connection.run_sync(_revision)
        if revision == HEAD:
            return
        if revision is not None and revision > HEAD:
            raise IncompatibleData(
                f"the database has schema {revision}, this version of IMP knows {HEAD}; install the newer version"
            )
        await connection.run_sync(_upgrade)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def _upgrade(connection: Connection) -> None:
    # Alembic takes longer to import than an up-to-date directory takes to open.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "imp:migrations")
    command.upgrade(config, HEAD)
