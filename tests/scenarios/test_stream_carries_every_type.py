"""Every built-in type, NULL and empty, computed columns, and what was rolled back inside a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from config.model import Routes
from tests.support.mapped_pair import routes_for
from tests.support.streams import once, rows

# Type, and values that have a corner of their own.
TYPES = {
    "boolean": ("true", "false"),
    '"char"': ("'a'", "''"),
    "smallint": ("-32768", "32767"),
    "integer": ("-2147483648", "0"),
    "bigint": ("9223372036854775807", "-1"),
    "numeric": ("'NaN'", "0.00000000000000000001", "123456789012345678901234567890.10"),
    "numeric(14,2)": ("-0.01", "999999999999.99"),
    "real": ("'Infinity'", "1.17549435e-38"),
    "double precision": ("'-Infinity'", "'NaN'", "-0.0", "0.1"),
    "money": ("'12.34'::numeric::money",),
    "text": ("''", "'  blank '", "E'line\\nfeed \\\\ tab\\t'", "'\u00e4\u00f6\u00fc \u20ac \U0001f600'"),
    "varchar(10)": ("'ten chars!'",),
    "char(5)": ("'ab'",),
    "name": ("'a_name'",),
    "bytea": ("'\\x00ff'", "''"),
    "date": ("'infinity'", "'0001-01-01 BC'", "'2024-02-29'"),
    "time": ("'24:00'", "'00:00:00.000001'"),
    "timetz": ("'12:00+05:30'",),
    "timestamp": ("'-infinity'", "'2026-03-29 02:30'"),
    "timestamptz": ("'2026-03-29 02:30+02'", "'infinity'"),
    "interval": ("'1 mon -1 day 00:00:01.5'",),
    "uuid": ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",),
    "json": ('\'{"b": 1,  "a": 2, "a": 3}\'',),
    "jsonb": ('\'{"b": 1e2, "a": null}\'',),
    "inet": ("'10.0.0.1/8'", "'::1'"),
    "cidr": ("'10.0.0.0/8'",),
    "macaddr": ("'08:00:2b:01:02:03'",),
    "macaddr8": ("'08:00:2b:01:02:03:04:05'",),
    "bit(3)": ("B'101'",),
    "bit varying": ("B'1'", "B''"),
    "point": ("'(1,2)'",),
    "line": ("'{1,2,3}'",),
    "lseg": ("'[(0,0),(1,1)]'",),
    "box": ("'(1,1),(0,0)'",),
    "path": ("'[(0,0),(1,1)]'",),
    "polygon": ("'((0,0),(1,1),(1,0))'",),
    "circle": ("'<(0,0),1>'",),
    "tsvector": ("'a:1 cat:2A'",),
    "tsquery": ("'fat & !rat'",),
    "int4range": ("'[1,5)'", "'empty'"),
    "tstzrange": ("'[2026-01-01, infinity)'",),
    "nummultirange": ("'{[1,2),[3,4)}'",),
    "pg_lsn": ("'16/B374D848'",),
    "integer[]": ("'{1,NULL,3}'", "'{}'", "'[0:1]={1,2}'"),
    "text[]": ("ARRAY['a', '', NULL, 'b,c']", "ARRAY[['a','b'],['c','d']]"),
    "numeric[]": ("'{1.50,NaN}'",),
    "timestamptz[]": ("'{infinity,NULL}'",),
}
COLUMNS = [f"c{place}" for place in range(len(TYPES))]
TABLE = f"CREATE TABLE many (id int PRIMARY KEY, {', '.join(f'{n} {t}' for n, t in zip(COLUMNS, TYPES, strict=True))})"
ALL = f"SELECT many::text FROM (SELECT id, {', '.join(COLUMNS)} FROM many ORDER BY id) AS many"


@contextmanager
def two(
    folder: Path, legacy: str, modern: str, left: str, right: str, **mappings: str
) -> Iterator[tuple[psycopg.Connection, psycopg.Connection, Routes]]:
    """Both databases with their tables, and the routes with these mappings by target."""
    (folder / "mappings").mkdir()
    for name, text in mappings.items():
        (folder / "mappings" / f"{name}.sql").write_text(
            f"-- target: {name}\n-- key: id\n-- dialect: postgres\n{text}\n"
        )
    with psycopg.connect(legacy, autocommit=True) as one, psycopg.connect(modern, autocommit=True) as other:
        one.execute(left.encode())
        other.execute(right.encode())
        yield one, other, routes_for(folder, legacy, modern, folder / "mappings")


def test_every_built_in_type_arrives_as_it_was(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    mapping = f"SELECT id, {', '.join(COLUMNS)} FROM many"
    with two(tmp_path, legacy_db, modern_db, TABLE, TABLE, many=mapping) as (legacy, modern, routes):
        legacy.execute("INSERT INTO many (id) VALUES (0)")  # every column is NULL
        once(routes)
        number = 0
        for name, values in zip(COLUMNS, TYPES.values(), strict=True):
            for value in values:
                number += 1
                legacy.execute(f"INSERT INTO many (id, {name}) VALUES ({number}, {value})".encode())
        once(routes)
        assert rows(modern, ALL) == rows(legacy, ALL)
        legacy.execute(f"UPDATE many SET {', '.join(f'{n} = NULL' for n in COLUMNS)} WHERE id % 2 = 0".encode())
        changed = ", ".join(f"{name} = {values[-1]}" for name, values in zip(COLUMNS, TYPES.values(), strict=True))
        legacy.execute(f"UPDATE many SET {changed} WHERE id % 3 = 0".encode())
        once(routes)
        assert rows(modern, ALL) == rows(legacy, ALL)


def test_null_stays_null_and_empty_stays_empty(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, a text, b bytea)"
    read = "SELECT id, a IS NULL, length(a), b IS NULL, length(b) FROM t ORDER BY id"
    with two(tmp_path, legacy_db, modern_db, table, table, t="SELECT id, a, b FROM t") as (legacy, modern, routes):
        once(routes)
        legacy.execute("INSERT INTO t VALUES (1, NULL, NULL), (2, '', ''), (3, ' ', '\\x00'), (4, 'x', NULL)")
        legacy.execute("UPDATE t SET a = NULL WHERE id = 4")
        legacy.execute("UPDATE t SET a = '' WHERE id = 3")
        once(routes)
        expected = [(1, True, None, True, None), (2, False, 0, False, 0), (3, False, 0, False, 1)]
        assert rows(modern, read) == [*expected, (4, True, None, True, None)] == rows(legacy, read)


def test_identity_and_generated_columns_arrive(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    left = """CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
        twice int GENERATED ALWAYS AS (a * 2) STORED)"""
    right = "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a + 1) STORED)"
    with two(tmp_path, legacy_db, modern_db, left, right, t="SELECT id, a FROM t") as (legacy, modern, routes):
        legacy.execute("INSERT INTO t (a) VALUES (1)")
        once(routes)
        legacy.execute("INSERT INTO t (a) VALUES (2), (3)")
        legacy.execute("UPDATE t SET a = 10 WHERE id = 1")
        once(routes)
        assert rows(modern, "SELECT id, a, b FROM t ORDER BY id") == [(1, 10, 11), (2, 2, 3), (3, 3, 4)]


def test_what_a_savepoint_took_back_never_arrives(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    table = "CREATE TABLE t (id int PRIMARY KEY, a int)"
    with two(tmp_path, legacy_db, modern_db, table, table, t="SELECT id, a FROM t") as (legacy, modern, routes):
        legacy.execute("INSERT INTO t SELECT n, 0 FROM generate_series(1, 10) AS n")
        once(routes)
        with legacy.transaction():
            legacy.execute("UPDATE t SET a = 1 WHERE id = 1")
            for number in range(2, 8):
                with legacy.transaction(force_rollback=number % 2 == 0):
                    legacy.execute("UPDATE t SET a = %s WHERE id = %s", (number, number))
                    with legacy.transaction(force_rollback=number % 3 == 0):
                        legacy.execute("DELETE FROM t WHERE id = %s", (number,))
                        legacy.execute("INSERT INTO t VALUES (%s, 99)", (100 + number,))
        once(routes)
        read = "SELECT id, a FROM t ORDER BY id"
        assert rows(modern, read) == rows(legacy, read)
        assert rows(legacy, "SELECT id FROM t WHERE id > 100 ORDER BY id") == [(105,), (107,)]


USERS = """CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (name text, amount numeric(8,2), mood mood);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE t (id int PRIMARY KEY, m mood, ms mood[], p pair, ps pair[], d positive, note text, at timestamptz);"""


def test_types_of_the_users_arrive_whatever_their_oids_are(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    mapping = "SELECT id, m, ms, p, ps, d, note, at FROM t"
    shift = "CREATE TYPE first AS ENUM (); CREATE TYPE second AS (a int);"  # the same types have other oids over there
    read = "SELECT t::text FROM t ORDER BY id"
    row = "'ok', '{ok,NULL,sad}', '(a,1.50,sad)', ARRAY['(\"b, c\",2,ok)'::pair, NULL], 7, E'a\\tb', '2026-01-01 10:00+05'"
    with two(tmp_path, legacy_db, modern_db, USERS, shift + USERS, t=mapping) as (legacy, modern, routes):
        legacy.execute(f"INSERT INTO t VALUES (1, {row})".encode())
        legacy.execute("INSERT INTO t VALUES (2)")
        once(routes)
        assert rows(modern, read) == rows(legacy, read)
        legacy.execute(f"INSERT INTO t VALUES (3, {row})".encode())
        legacy.execute("INSERT INTO t VALUES (4, 'sad', '{}')")
        legacy.execute("UPDATE t SET ms = '{sad}', p.amount = 3, note = repeat('long', 1000) WHERE id IN (1, 2)")
        legacy.execute("UPDATE t SET d = 8, id = 5 WHERE id = 3")
        legacy.execute("DELETE FROM t WHERE id = 4")
        once(routes)
        assert rows(modern, read) == rows(legacy, read)
        legacy.execute("ALTER TABLE t ALTER note SET STORAGE EXTERNAL")
        legacy.execute("UPDATE t SET note = repeat('long', 1000) WHERE id = 1")
        legacy.execute("UPDATE t SET m = 'sad' WHERE id = 1")
        legacy.execute("UPDATE t SET id = 6 WHERE id = 1")
        once(routes)
        assert rows(modern, read) == rows(legacy, read)
