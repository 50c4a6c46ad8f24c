"""The rules of the books, kept by the database itself.

They bind whoever writes here directly. The streams apply with session_replication_role = replica and pass: their rows
were already checked where they were written, and arrive in an order of their own.
"""

from __future__ import annotations

from alembic import op

revision = "ledger_0002"
down_revision = "ledger_0001"
branch_labels = None
depends_on = None

LINT_ALLOWS = {"trigger-on-a-used-table": "the tables are of the revision before and have no rows when this runs"}

APPEND_ONLY = """
CREATE FUNCTION public.posting_is_final() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    RAISE EXCEPTION 'a posting is final: % refused', TG_OP
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'posting_is_final',
              SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, HINT = 'Correct it by a further posting.';
END
$$
"""

APPEND_ONLY_TRIGGER = """
CREATE TRIGGER posting_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON public.posting
    FOR EACH STATEMENT EXECUTE FUNCTION public.posting_is_final()
"""

DOUBLE_ENTRY = """
CREATE FUNCTION public.posting_balances() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.posting JOIN public.account USING (account_id)
        WHERE posting.reference = NEW.reference
        GROUP BY account.currency
        HAVING sum(CASE posting.direction WHEN 'C' THEN posting.amount ELSE -posting.amount END) <> 0
    ) THEN
        RAISE EXCEPTION 'debits and credits of a reference are not equal'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'posting_balances',
                  SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
                  HINT = 'Write all legs of a reference in one transaction.';
    END IF;
    RETURN NULL;
END
$$
"""

DOUBLE_ENTRY_TRIGGER = """
CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON public.posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.posting_balances()
"""

BALANCE = """
CREATE FUNCTION public.account_agrees() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF EXISTS (
        SELECT FROM public.account
        WHERE account.account_id = NEW.account_id
          AND account.balance <> coalesce((
              SELECT posting.balance_after FROM public.posting
              WHERE posting.account_id = NEW.account_id
              ORDER BY posting.booked_on DESC, posting.sequence DESC LIMIT 1), 0)
    ) THEN
        RAISE EXCEPTION 'an account''s balance is not that of its last posting'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_agrees',
                  SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
                  HINT = 'Write the posting and the new balance in one transaction.';
    END IF;
    RETURN NULL;
END
$$
"""

BALANCE_TRIGGER = """
CREATE CONSTRAINT TRIGGER account_agrees AFTER INSERT OR UPDATE OF balance ON public.account
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.account_agrees()
"""

LAST_POSTING_TRIGGER = """
CREATE CONSTRAINT TRIGGER posting_agrees AFTER INSERT ON public.posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.account_agrees()
"""


def upgrade() -> None:
    for statement in (APPEND_ONLY, APPEND_ONLY_TRIGGER, DOUBLE_ENTRY, DOUBLE_ENTRY_TRIGGER):
        op.execute(statement)
    for statement in (BALANCE, BALANCE_TRIGGER, LAST_POSTING_TRIGGER):
        op.execute(statement)
