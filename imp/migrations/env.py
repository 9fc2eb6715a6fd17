"""Alembic's entry: runs on the connection it is handed and stays inside its transaction."""

from alembic import context

import imp.governance.models
import imp.issuing.models
import imp.registry.models
from imp.database import Row

__all__: list[str] = []

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Row.metadata, render_as_batch=True)
context.run_migrations()
