"""Alembic's entry: runs the versions on the connection that the migrate command hands over."""

from alembic import context

# The table modules are imported for what they add to the shared metadata.
import api.imports.tables
import api.tables
import delivery.deliveries.tables
import delivery.kill_switches.tables
import delivery.pacing.tables
import delivery.tables
import segments.tables
from core.database import metadata

TABLES = (
    api.tables,
    api.imports.tables,
    delivery.tables,
    delivery.kill_switches.tables,
    delivery.deliveries.tables,
    delivery.pacing.tables,
    segments.tables,
)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
