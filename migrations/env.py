"""What Alembic runs around the revisions: one transaction each, online on a given connection or rendered as SQL."""

from __future__ import annotations

from functools import partial

from alembic import context

attributes = context.config.attributes
configure = partial(
    context.configure,
    transaction_per_migration=True,
    version_table="alembic_version",
    version_table_schema="public",
    on_version_apply=attributes.get("on_version_apply"),
)
if context.is_offline_mode():
    configure(dialect_name="postgresql", literal_binds=True)
else:
    configure(connection=attributes["connection"])

with context.begin_transaction():
    context.run_migrations()
