"""env.py runs inside Alembic only; rendering a revision is the way through it that needs no database."""

from __future__ import annotations

import io

from alembic import command

from migrations.environment import configuration


def test_each_revision_is_a_transaction_and_the_version_table_is_in_public() -> None:
    output = io.StringIO()
    command.upgrade(configuration("ledger", output), "base:ledger_0003", sql=True)
    rendered = output.getvalue()
    assert rendered.count("BEGIN;") == rendered.count("COMMIT;") == 3
    assert "CREATE TABLE public.alembic_version" in rendered
