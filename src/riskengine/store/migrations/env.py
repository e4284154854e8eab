"""Alembic's entry: runs the migrations on the connection that `Database.upgrade` opened."""

from alembic import context

from riskengine.security.tables import METADATA
from riskengine.store import schema

assert schema.QUOTES.metadata is METADATA
context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    target_metadata=METADATA,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
