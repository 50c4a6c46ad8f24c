"""The demo bank's data on a real server: complete, balanced, quick."""

import time

import psycopg

from legacy_adapter.monolith.schema import create_schema
from legacy_adapter.monolith.seed import Size, prepare, seed

RUNNING = """
SELECT count(*) FROM (
    SELECT bal_aft - sum(CASE drcr WHEN 'C' THEN amt ELSE -amt END)
           OVER (PARTITION BY acct_no ORDER BY trn_dt, trn_seq) AS gap FROM trnhist) AS walked
WHERE gap <> 0
"""
UNBALANCED = """
SELECT count(*) FROM (
    SELECT trn_ref FROM trnhist JOIN acctmast USING (acct_no) GROUP BY trn_ref, ccy
    HAVING sum(CASE drcr WHEN 'C' THEN amt ELSE -amt END) <> 0 OR count(*) <> 2) AS refs
"""
NOT_THE_LEGS = """
SELECT count(*) FROM acctmast AS a
WHERE bal_amt <> (SELECT coalesce(sum(CASE drcr WHEN 'C' THEN amt ELSE -amt END), 0)
                  FROM trnhist AS t WHERE t.acct_no = a.acct_no)
"""


def test_the_default_size_is_quick_and_every_balance_is_the_sum_of_its_legs(legacy_db):
    heard = []
    with psycopg.connect(legacy_db) as conn:
        create_schema(conn)
        began = time.monotonic()
        seed(conn, progress=lambda done, total: heard.append((done, total)))
        assert time.monotonic() - began < 10
        counts = conn.execute(
            "SELECT (SELECT count(*) FROM custmast), (SELECT count(*) FROM acctmast), (SELECT count(*) FROM trnhist)"
        ).fetchone()
        assert counts == (2001, 5002, 50_000)
        assert heard[-1] == (sum(counts) + 1, sum(counts) + 1)
        assert conn.execute("SELECT ccy, sum(bal_amt) FROM acctmast GROUP BY ccy ORDER BY ccy").fetchall() == [
            ("EUR", 0),
            ("GBP", 0),
        ]
        assert conn.execute(RUNNING).fetchone() == (0,)
        assert conn.execute(UNBALANCED).fetchone() == (0,)
        conn.execute("CREATE INDEX ON trnhist (acct_no)")
        assert conn.execute(NOT_THE_LEGS).fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM acctmast WHERE acct_typ <> 'G' AND bal_amt < 0").fetchone() == (0,)
        assert conn.execute("SELECT nextval('trnhist_seq')").fetchone() == (50_001,)
        shares = dict(conn.execute("SELECT acct_sts, count(*) FROM acctmast GROUP BY acct_sts").fetchall())
        assert 60 <= shares["20"] <= 140
        assert 25 <= shares["10"] <= 80
        assert shares["90"] == 5


def test_a_prepared_database_is_left_alone(legacy_db):
    size = Size(customers=10, accounts=30, history=100)
    with psycopg.connect(legacy_db) as conn:
        assert prepare(conn, size)
        conn.execute("UPDATE ctlparm SET parm_val = '20270101'")
        assert not prepare(conn, size)
        assert conn.execute("SELECT parm_val FROM ctlparm").fetchone() == ("20270101",)
        assert conn.execute("SELECT count(*) FROM trnhist").fetchone() == (100,)
