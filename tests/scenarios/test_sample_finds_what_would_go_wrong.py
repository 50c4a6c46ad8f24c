"""`sync check --sample` runs a mapping on rows of the source: counts and keys of what would go wrong, never a value."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from cdc.check import inspect
from cdc.lineage import NotMapped, lineage
from runbook.cli import app
from tests.support.mapped_pair import routes_for

LEGACY = """
CREATE TABLE cust (no integer PRIMARY KEY, born char(8), amt text, sts char(1) NOT NULL, nm varchar(20), rate numeric(8,4));
INSERT INTO cust SELECT n, '20000101', '12.50', 'A', 'name', 1.5 FROM generate_series(1, 1000) AS n;
UPDATE cust SET born = '00000000' WHERE no IN (3, 7);
UPDATE cust SET amt = 'SECRET' WHERE no = 11;
UPDATE cust SET sts = 'X' WHERE no BETWEEN 21 AND 30;
UPDATE cust SET nm = E'M\\u00c3\\u00bcller' WHERE no = 41;
UPDATE cust SET nm = E'a\\x01b' WHERE no = 42;
UPDATE cust SET rate = 1.2345 WHERE no = 51;
"""
MODERN = "CREATE TABLE customer (id integer PRIMARY KEY, born date, amt numeric(6,2), status text NOT NULL, name text, rate numeric(8,2))"
MAPPING = """-- target: customer
-- key: id
-- dialect: oracle
SELECT NO AS id, TO_DATE(BORN, 'YYYYMMDD') AS born, TO_NUMBER(AMT) AS amt,
       DECODE(STS, 'A', 'active', 'C', 'closed') AS status, NM AS name, RATE AS rate
FROM   CUST
"""


def test_what_would_go_wrong_is_counted_and_named_by_key(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "customer.sql").write_text(MAPPING)
    for url, statements in ((legacy_db, LEGACY), (modern_db, MODERN)):
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(statements.encode())
    routes = routes_for(tmp_path, legacy_db, modern_db, folder)
    report = inspect(routes, "accounts", 1_000)
    (sample,) = report.samples
    assert sample.rows == 1_000
    found = {(one.column, one.kind): (one.rows, one.keys) for one in sample.troubles}
    assert found["born", "no date of this format"] == (2, ("no = 3", "no = 7"))
    assert found["amt", "no number"] == (1, ("no = 11",))
    rows, keys = found["status", "matches no branch and becomes NULL"]
    assert (rows, len(keys)) == (10, 5)
    assert found["name", "nm looks like another code page"] == (1, ("no = 41",))
    assert found["name", "nm holds control characters"] == (1, ("no = 42",))
    assert found["rate", "would be rounded"] == (1, ("no = 51",))
    assert all(one.remedy for one in sample.troubles)
    assert "SECRET" not in str(report.as_json()["samples"])
    (mapping,) = report.as_json()["mappings"]  # type: ignore[misc]
    assert set(mapping) == {"file", "target", "verdict", "reason", "sql", "columns"}
    assert set(mapping["columns"][0]) == {"name", "class", "sources", "inverse", "guard", "guard_violations"}


def test_a_sample_is_of_the_size_that_was_asked_for(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "customer.sql").write_text(MAPPING)
    for url, statements in ((legacy_db, LEGACY + "ANALYZE cust;"), (modern_db, MODERN)):
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(statements.encode())
    (sample,) = inspect(routes_for(tmp_path, legacy_db, modern_db, folder), "accounts", 100).samples
    assert 0 < sample.rows <= 100


def test_the_lineage_of_a_column_is_explained(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "customer.sql").write_text(MAPPING)
    for url, statements in ((legacy_db, LEGACY), (modern_db, MODERN)):
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(statements.encode())
    routes = routes_for(tmp_path, legacy_db, modern_db, folder)
    (found,) = lineage(routes, "customer.status")
    assert (found.sources, found.kind) == (("cust.sts",), "guarded")
    done = CliRunner().invoke(app, ["explain", "--column", "customer.born", "--routes", str(tmp_path / "routes.yaml")])
    assert "from     cust.born" in done.output
    assert "class    guarded" in done.output
    with pytest.raises(NotMapped, match=r"Did you mean customer\.status"):
        lineage(routes, "customer.statu")
