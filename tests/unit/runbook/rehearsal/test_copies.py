from __future__ import annotations

import psycopg
import pytest

from runbook.rehearsal.copies import copy_tables, shapes_of
from runbook.rehearsal.table_shape import TypeUnknown
from runbook.sides import connect_to

BANK = """
CREATE SCHEMA "Core Bank";
CREATE TYPE "Core Bank".state AS ENUM ('open', 'it''s shut');
CREATE DOMAIN "Core Bank".money AS numeric(15, 2) CHECK (VALUE >= 0);
CREATE FUNCTION bank_day() RETURNS date LANGUAGE sql IMMUTABLE AS $$ SELECT date '2026-03-01' $$;
CREATE TABLE branch (id int PRIMARY KEY);
CREATE SEQUENCE "Core Bank"."Acct_no" START 100 CACHE 20;
CREATE TABLE "Core Bank"."Acct" (
    id bigint GENERATED ALWAYS AS IDENTITY,
    no bigint NOT NULL DEFAULT nextval('"Core Bank"."Acct_no"'),
    old int,
    state "Core Bank".state NOT NULL DEFAULT 'open',
    states "Core Bank".state[],
    balance "Core Bank".money NOT NULL,
    doubled numeric GENERATED ALWAYS AS (balance * 2) STORED,
    day date DEFAULT bank_day(),
    branch int REFERENCES branch,
    note text,
    PRIMARY KEY (id), UNIQUE (no), CONSTRAINT has_note CHECK (note <> '')
);
ALTER TABLE "Core Bank"."Acct" DROP COLUMN old, REPLICA IDENTITY FULL;
CREATE INDEX notes ON "Core Bank"."Acct" (lower(note)) WHERE note IS NOT NULL;
CREATE TABLE "Core Bank".part (id int, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE "Core Bank".part_1 PARTITION OF "Core Bank".part FOR VALUES FROM (0) TO (10);
CREATE TABLE "Core Bank".part_2 PARTITION OF "Core Bank".part FOR VALUES FROM (10) TO (20);
CREATE TABLE "Core Bank".child (acct bigint REFERENCES "Core Bank"."Acct" (no));
INSERT INTO branch VALUES (1);
INSERT INTO "Core Bank"."Acct" (state, states, balance, branch, note)
SELECT 'it''s shut', '{open}', n, 1, 'n' || n FROM generate_series(1, 500) AS n;
INSERT INTO "Core Bank".part SELECT n, n FROM generate_series(0, 19) AS n;
INSERT INTO "Core Bank".child SELECT no FROM "Core Bank"."Acct";
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER watch BEFORE INSERT ON "Core Bank"."Acct" FOR EACH ROW EXECUTE FUNCTION nothing();
"""
TABLES = ('"Core Bank"."Acct"', '"Core Bank".part', '"Core Bank".child')
ROWS = (
    'SELECT id, no, state::text, states::text, balance, doubled, day, branch, note FROM "Core Bank"."Acct" ORDER BY id'
)
NEW = 'INSERT INTO "Core Bank"."Acct" (balance) VALUES (7) RETURNING id, no, state::text, day'


def test_a_table_of_any_kind_is_made_anew_with_its_rows_and_what_is_left_out_is_named(
    legacy_db: str, modern_db: str
) -> None:
    with connect_to(legacy_db, "legacy") as source, connect_to(modern_db, "copy") as target:
        source.execute(BANK.encode())
        said: list[str] = []
        copied = copy_tables(source, target, shapes_of(source, TABLES), said.append, rows=True)
        assert list(copied.rows.values()) == [500, 20, 500]
        assert said[0] == 'copied "Core Bank"."Acct": 500 rows'
        assert target.execute(ROWS).fetchall() == source.execute(ROWS).fetchall()
        left_out = "\n".join(copied.left_out)
        for what in ("1 trigger(s) of", "foreign key Acct_branch_fkey", 'default of "Core Bank"."Acct".day'):
            assert what in left_out
        assert len(copied.left_out) == 3
        new = target.execute(NEW).fetchone()
        assert new is not None
        assert (new[0], new[2], new[3]) == (501, "open", None)
        assert new[1] > 599  # the sequence goes on above what the original's sessions have cached
        for refused in ('INSERT INTO "Core Bank".child VALUES (1)', """UPDATE "Core Bank"."Acct" SET note = ''"""):
            with pytest.raises(psycopg.errors.IntegrityError):
                target.execute(refused.encode())
        indexes = target.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'Acct'").fetchone()
        assert indexes == (3,)


def test_a_side_may_be_made_empty(legacy_db: str, modern_db: str) -> None:
    with connect_to(legacy_db, "legacy") as source, connect_to(modern_db, "copy") as target:
        source.execute(BANK.encode())
        copy_tables(source, target, shapes_of(source, TABLES[:1]), lambda _: None, rows=False)
        assert target.execute(ROWS).fetchall() == []


def test_a_type_that_cannot_be_made_is_refused_by_name(legacy_db: str) -> None:
    with connect_to(legacy_db, "legacy") as source:
        source.execute("CREATE TYPE pair AS (a int, b int)")
        source.execute("CREATE TABLE odd (id int PRIMARY KEY, p pair)")
        with pytest.raises(TypeUnknown, match="odd cannot be rehearsed: the type pair"):
            shapes_of(source, ("odd",))
