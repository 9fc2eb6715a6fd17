"""Alembic's entry: runs on the connection it is handed and stays inside its transaction."""

from alembic import context

from imp.database import Row
from imp.governance import models as governance
from imp.issuing import models as issuing
from imp.registry import models as registry

__all__ = ["governance", "issuing", "registry"]  # their import fills the metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Row.metadata, render_as_batch=True)
context.run_migrations()
