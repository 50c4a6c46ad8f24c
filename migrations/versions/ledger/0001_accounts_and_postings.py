"""Customers, accounts and their postings.

Widths of keys and codes are those of the monolith: what the ledger writes has to fit into it on the way back.
"""

from __future__ import annotations

from alembic import op

revision = "ledger_0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None

LINT_ALLOWS = {"prefer-timestamp-tz": "the monolith's times have no zone, and must come back as they were"}

CUSTOMER = """
CREATE TABLE public.customer (
    customer_id char(8) NOT NULL CONSTRAINT customer_pk PRIMARY KEY,
    name text NOT NULL,
    born_on date NOT NULL,
    segment char(1),
    country char(2),
    status text NOT NULL CONSTRAINT customer_status CHECK (status IN ('active', 'dormant', 'closed'))
)
"""

ACCOUNT = """
CREATE TABLE public.account (
    account_id char(10) NOT NULL CONSTRAINT account_pk PRIMARY KEY,
    customer_id char(8) NOT NULL CONSTRAINT account_customer_fk REFERENCES public.customer,
    product text NOT NULL CONSTRAINT account_product CHECK (product IN ('current', 'savings', 'internal')),
    currency char(3) NOT NULL,
    balance numeric(14, 2) NOT NULL,
    status text NOT NULL CONSTRAINT account_status CHECK (status IN ('open', 'dormant', 'blocked', 'closed')),
    opened_on date NOT NULL,
    branch char(4) NOT NULL
)
"""

POSTING = """
CREATE TABLE public.posting (
    booked_on date NOT NULL,
    sequence bigint NOT NULL,
    account_id char(10) NOT NULL CONSTRAINT posting_account_fk REFERENCES public.account,
    reference varchar(36) NOT NULL,
    kind text NOT NULL CONSTRAINT posting_kind CHECK (kind IN ('transfer', 'interest', 'fee', 'opening')),
    direction char(1) NOT NULL CONSTRAINT posting_direction CHECK (direction IN ('D', 'C')),
    amount numeric(14, 2) NOT NULL CONSTRAINT posting_amount CHECK (amount > 0),
    balance_after numeric(14, 2) NOT NULL,
    counterparty char(10),
    -- the monolith's local time, which has no zone
    posted_at timestamp(6) NOT NULL,
    note varchar(40),
    CONSTRAINT posting_pk PRIMARY KEY (booked_on, sequence)
)
"""


def upgrade() -> None:
    op.execute(CUSTOMER)
    op.execute(ACCOUNT)
    op.execute("CREATE INDEX account_of_customer ON public.account (customer_id, account_id)")
    op.execute(POSTING)
    op.execute("CREATE INDEX posting_of_account ON public.posting (account_id, booked_on DESC, sequence DESC)")
    op.execute("CREATE INDEX posting_of_reference ON public.posting (reference)")
    op.execute("CREATE SEQUENCE public.posting_sequence")
