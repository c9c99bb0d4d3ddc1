"""Alembic's entry: runs the versions on the connection that the migrate command hands over."""

from alembic import context

# The table modules are imported for what they add to the shared metadata.
import api.imports.tables
import api.tables
import delivery.credentials.tables
import delivery.deliveries.tables
import delivery.guard.tables
import delivery.kill_switches.tables
import delivery.outbox.tables
import delivery.pacing.tables
import delivery.postings.tables
import delivery.reach.tables
import delivery.receipts.tables
import delivery.successors.tables
import delivery.tables
import segments.attributes.tables
import segments.definitions.tables
import segments.identity.tables
import segments.suppressions.tables
import segments.tables
import segments.watching.tables
from core.database import metadata

TABLES = (
    api.tables,
    api.imports.tables,
    delivery.tables,
    delivery.credentials.tables,
    delivery.guard.tables,
    delivery.kill_switches.tables,
    delivery.deliveries.tables,
    delivery.receipts.tables,
    delivery.outbox.tables,
    delivery.pacing.tables,
    delivery.postings.tables,
    delivery.reach.tables,
    delivery.successors.tables,
    segments.attributes.tables,
    segments.definitions.tables,
    segments.identity.tables,
    segments.suppressions.tables,
    segments.tables,
    segments.watching.tables,
)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
