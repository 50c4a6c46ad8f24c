"""How long `sync check --sample` takes on a million rows: one scan that counts, one that looks for keys."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psycopg

from cdc.check import inspect
from config.reader import read_routes
from runbook.demo.cluster import Cluster
from runbook.demo.workspace import Workspace

ROWS = 1_000_000
LEGACY = f"""
CREATE TABLE acct (no char(10) PRIMARY KEY, cust char(8) NOT NULL, typ char(1) NOT NULL, ccy char(3) NOT NULL,
                   bal numeric(14,2) NOT NULL, opened char(8), nm varchar(60), rate text, upd char(26), sts char(2));
INSERT INTO acct SELECT lpad(n::text, 10, '0'), lpad((n % 50000)::text, 8, '0'), (ARRAY['C','S','G'])[n % 3 + 1], 'EUR',
    n / 100.0, CASE WHEN n % 10007 = 0 THEN '00000000' ELSE to_char(date '1990-01-01' + n % 12000, 'YYYYMMDD') END, 'Name ' || n, '1.25',
    to_char(timestamp '2026-01-01' + n * interval '7 seconds', 'YYYY-MM-DD.HH24.MI.SS.US'), '00' FROM generate_series(1, {ROWS}) AS n;
ANALYZE acct;
"""
MODERN = """CREATE TABLE account (id char(10) PRIMARY KEY, customer char(8), product text NOT NULL, currency char(3),
    balance numeric(16,4), opened date, name varchar(60), rate numeric(6,3), updated timestamp, status text)"""
MAPPING = """-- target: account
-- key: id
-- dialect: oracle
SELECT NO AS id, CUST AS customer, DECODE(TYP, 'C', 'current', 'S', 'savings', 'G', 'internal') AS product,
       CCY AS currency, BAL / 100 AS balance, TO_DATE(OPENED, 'YYYYMMDD') AS opened, NM AS name,
       TO_NUMBER(RATE) AS rate, TO_TIMESTAMP(UPD, 'YYYY-MM-DD.HH24.MI.SS.FF6') AS updated,
       CASE STS WHEN '00' THEN 'open' WHEN '90' THEN 'closed' END AS status
FROM   ACCT
"""
ROUTES = """version: 1
databases: {{legacy: {{url: "{legacy}"}}, ledger: {{url: "{modern}"}}}}
upstreams: {{monolith: {{url: "http://127.0.0.1:1"}}, ledger: {{url: "http://127.0.0.1:2"}}}}
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: legacy,
              sync: {{source: legacy, target: ledger, mappings: "{mappings}"}}}}
routes: []
"""


def measure(folder: Path) -> None:
    cluster = Cluster(folder, "bench").start()
    try:
        urls = [cluster.create_database(name) for name in ("legacy", "modern")]
        for url, statements in zip(urls, (LEGACY, MODERN), strict=True):
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute(statements.encode())
        mappings = folder / "mappings"
        mappings.mkdir()
        (mappings / "account.sql").write_text(MAPPING)
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES.format(legacy=urls[0], modern=urls[1], mappings=mappings))
        for rows in (0, 10_000, ROWS):
            start = time.monotonic()
            report = inspect(read_routes(routes, {}), "accounts", rows)
            seconds = time.monotonic() - start
            troubles = sum(len(sample.troubles) for sample in report.samples)
            print(
                f"sync check --sample {rows:,}: {seconds:.1f} s, {troubles} kinds of trouble, verdict {report.mappings[0].verdict}"
            )
    finally:
        cluster.stop(immediate=True)


if __name__ == "__main__":
    with Workspace("bench") as workspace:
        measure(workspace.path)
    sys.exit(0)
