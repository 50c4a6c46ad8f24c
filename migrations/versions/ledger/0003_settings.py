"""Settings that belong to the books, such as the business date; without one the calendar's date is used."""

from __future__ import annotations

from alembic import op

revision = "ledger_0003"
down_revision = "ledger_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE public.setting (name text CONSTRAINT setting_pk PRIMARY KEY, value text)")
    op.execute("INSERT INTO public.setting (name, value) VALUES ('business_date', NULL)")
