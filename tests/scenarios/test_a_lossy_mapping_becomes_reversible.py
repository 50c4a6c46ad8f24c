"""`sync check --residue` and `migrate upgrade`: what was lossy comes back, and what modern writes wins over the residue."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
import structlog
from typer.testing import CliRunner

from cdc.fence import lift_fence, raise_fence
from cdc.state import Marker
from cdc.verification.verify import verify
from runbook.cli import app
from tests.support.mapped_pair import routes_for
from tests.support.streams import FORWARD, REVERSE, mark, state, streaming
from tests.support.waiting import wait_until

LEGACY = """
CREATE TABLE cust (no integer PRIMARY KEY, nm varchar(20) NOT NULL, sts char(2), seen timestamp);
INSERT INTO cust VALUES (1, '  Ada ', '00', '2026-01-02 03:04:05'), (2, 'BOB', '10', '2026-01-02'), (3, 'Eve', '99', NULL),
                        (4, '', NULL, NULL);
"""
FIRST = '''"""Customers."""
from alembic import op
revision = "bank_0001"
down_revision = None
branch_labels = ("expand",)
depends_on = None
def upgrade():
    op.execute("CREATE TABLE public.customer (id integer NOT NULL PRIMARY KEY, name text, status text, seen timestamp)")
'''
MAPPING = """-- target: customer
-- key: id
-- dialect: mysql
SELECT no AS id,
       UPPER(TRIM(nm)) AS name,  -- as the statements print it
       CASE sts WHEN '00' THEN 'active' WHEN '10' THEN 'dormant' ELSE 'other' END AS status,
       seen AS seen
FROM cust
"""


def test_a_lossy_mapping_gets_its_residues_and_every_row_comes_back(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, revisions = tmp_path / "mappings", tmp_path / "revisions"
    folder.mkdir()
    revisions.mkdir()
    (folder / "customer.sql").write_text(MAPPING)
    (revisions / "0001_customers.py").write_text(FIRST)
    routes = routes_for(tmp_path, legacy_db, modern_db, folder)
    path = str(tmp_path / "routes.yaml")
    monkeypatch.setenv("LEDGER_DB", modern_db)
    run = CliRunner().invoke

    assert run(app, ["migrate", "upgrade", str(revisions)]).exit_code == 0
    with psycopg.connect(legacy_db, autocommit=True) as legacy, psycopg.connect(modern_db, autocommit=True) as modern:
        legacy.execute(LEGACY)
        before = run(app, ["sync", "check", "accounts", "--routes", path, "--json"])
        assert "there is no way back for" in str(json.loads(before.stdout)["findings"])

        added = run(
            app, ["sync", "check", "accounts", "--residue", "--service", str(revisions), "--routes", path, "--json"]
        )
        assert added.exit_code == 0, added.output
        assert [one["name"] for one in json.loads(added.stdout)["columns"]] == ["name_residue", "status_residue"]
        not_yet = run(app, ["sync", "check", "accounts", "--routes", path, "--json"])
        assert "strangler migrate upgrade" in str(json.loads(not_yet.stdout)["findings"])
        upgraded = run(app, ["migrate", "upgrade", str(revisions)])
        assert upgraded.exit_code == 0, upgraded.output
        nothing = run(app, ["sync", "check", "accounts", "--residue", "--service", str(revisions), "--routes", path])
        assert "nothing was written" in nothing.output

        structlog.reset_defaults()  # the commands logged to a screen that is closed
        with streaming(routes, modern_db) as streams:
            assert streams.error is None
            # Forward: the backfill brings rows that were there, the stream what changes.
            legacy.execute("UPDATE cust SET nm = 'eve' WHERE no = 3")
            mark(legacy, modern, "changed")
            kept = modern.execute("SELECT id, name_residue, status_residue FROM customer ORDER BY id").fetchall()
            assert kept == [(1, "  Ada ", None), (2, None, None), (3, "eve", "99"), (4, None, None)]
            assert verify("accounts", routes, "forward").equal

            raise_fence(legacy, ["cust"], Marker(FORWARD, "cutover"), 5)
            wait_until(lambda: state(modern).marker == "cutover", "drained")
            mark(modern, legacy, "apply", stream=REVERSE, mode="apply")
            lift_fence(modern, ["customer"])
            # Modern is the home, and knows nothing of residues.
            modern.execute("UPDATE customer SET name = 'ADA L.' WHERE id = 1")
            modern.execute("UPDATE customer SET seen = '2026-05-05', status = 'dormant' WHERE id = 3")
            modern.execute("INSERT INTO customer VALUES (5, 'NEW', 'active', NULL)")
            mark(modern, legacy, "written", stream=REVERSE)
            assert [row[:3] for row in legacy.execute("SELECT * FROM cust ORDER BY no")] == [
                (1, "ADA L.", "00"),
                (2, "BOB", "10"),
                (3, "eve", "10"),
                (4, "", None),
                (5, "NEW", "00"),
            ]
            assert verify("accounts", routes, "reverse").equal
