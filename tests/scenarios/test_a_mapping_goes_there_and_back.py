"""put(get(row)) = row under the guard, and get(put(row)) = row under the reverse's, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cdc.mapping import Mapping, NotInvertible
from cdc.translation.functions import install_functions
from runbook.demo.cluster import Cluster
from tests.support.mapping_files import built, table
from tests.support.pages import code, page
from tests.support.pages import table as page_table

CHARS = st.text("CS FXER01'\\%é", max_size=4)
CODES = st.sampled_from(["C", "S", "FEE", "FEE ", "XFER", "", "  ", "x", "A'B"])
DIGITS = st.text("0123456789", min_size=8, max_size=8)
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
MONEY = st.decimals(Decimal(-99999), Decimal(99999), places=2, allow_nan=False)
TENTHS = st.sampled_from([Decimal("1.0"), Decimal("2.5"), Decimal("-1.0"), Decimal("99.9")])
WHOLE = st.integers(-(10**11), 10**11)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))
ENGLISH = st.sampled_from(["current", "savings", "fee", "none", "", "other"])


@dataclass(frozen=True)
class Case:
    """An expression over column c of one type into column v of another, with values for both."""

    expression: str
    source: str
    target: str
    values: st.SearchStrategy[object]
    results: st.SearchStrategy[object]
    dialect: str = "oracle"


SHORT = st.dates(date(1931, 1, 1), date(2029, 12, 31)).map(lambda d: f"{d:%y%m%d}") | st.just("991301")
CENTURY = st.dates(date(1920, 1, 1), date(2080, 1, 1)) | st.just(date(2000, 2, 29))
PACKED = st.sampled_from([r"\x12345c", r"\x00100d", r"\x00000c", r"\x00000d", r"\x12345f", r"\x1234ac", r"\x12", r"\x"])
ZONED = st.sampled_from(["12345", "1234N", "0000{", "0000}", "1234E", "12 45", "", "ABCDE", "00010"])


@dataclass(frozen=True)
class OneWay:
    """An expression over column c that cannot be undone."""

    expression: str
    source: str
    target: str
    source_key: str = "integer"


CASES = [
    Case("C", "character varying(4)?", "text?", CHARS, st.text("ab é", max_size=8)),
    Case("C", "character(4)?", "text?", CODES, st.text("ab ", max_size=6)),
    Case("C", "text?", "character(4)?", CODES, CHARS),
    Case("C", "numeric(12,2)?", "numeric(8,1)?", MONEY, MONEY),
    Case("C", "bigint?", "numeric(20,2)?", WHOLE, MONEY),
    Case("C * 100", "numeric(12,2)?", "bigint?", MONEY, WHOLE),
    Case("C / 100", "numeric(12)?", "numeric(14,2)?", WHOLE, MONEY),
    Case("C / -8 + 1.5", "numeric(12,2)?", "numeric(20,6)?", MONEY, MONEY),
    Case("100 - C", "integer?", "numeric(12,2)?", st.integers(-(2**31), 2**31 - 1), MONEY),
    Case("-(C)", "numeric(12,2)?", "numeric(12,2)?", MONEY, MONEY),
    Case("DECODE(C, 'C', 'current', 'FEE ', 'fee')", "character(4)?", "text?", CODES, ENGLISH),
    Case("DECODE(C, 'C', 'current', 'FEE', 'fee')", "character(4)?", "text?", CODES, ENGLISH),
    Case("DECODE(C, 'C', 'current', 'FEE', 'fee')", "character varying(4)?", "character varying(7)?", CODES, ENGLISH),
    Case("DECODE(C, NULL, 'none', 'C', 'current')", "character varying(4)?", "text?", CODES, ENGLISH),
    Case("CASE WHEN C = 'C' THEN 1 WHEN C IN ('S') THEN 2.5 END", "text?", "numeric(3,1)?", CODES, TENTHS),
    Case("CASE C WHEN 0 THEN 'current' WHEN 1 THEN 'A''B' END", "integer?", "text?", st.integers(-2, 2), ENGLISH),
    Case("NVL(C, 'x')", "character varying(4)?", "text?", CODES, CODES),
    Case("NVL(C, 'x')", "character(4)?", "character varying(4)?", CODES, CODES),
    Case("NVL(C, 0)", "numeric(12,2)?", "numeric(12,2)?", MONEY, st.sampled_from([Decimal(0), Decimal(1), None])),
    Case("NULLIF(C, 'x')", "character varying(4)?", "text?", CODES, CODES),
    Case("RTRIM(C)", "character(4)?", "text?", CODES, CODES),
    Case("TO_DATE(C, 'YYYYMMDD')", "character(8)?", "date?", DIGITS | DAYS.map(lambda d: f"{d:%Y%m%d}"), DAYS),
    Case("TO_DATE(C, 'DD/MM/YYYY')", "text?", "date?", CHARS | st.just("29/02/2024"), DAYS),
    Case("TO_DATE(NULLIF(C, '00000000'), 'YYYYMMDD')", "character(8)?", "date?", DIGITS | st.just("0" * 8), DAYS),
    Case(
        "TO_TIMESTAMP(C, 'YYYY-MM-DD.HH24.MI.SS.FF6')",
        "character(26)?",
        "timestamp without time zone?",
        MOMENTS.map(lambda m: f"{m.year:04}{m:-%m-%d.%H.%M.%S.%f}"),
        MOMENTS,
    ),
    Case(
        "TO_DATE(C, 'YYYYMMDDHH24MISS')",
        "text?",
        "timestamp without time zone?",
        DIGITS.map(lambda d: d + "235959"),
        MOMENTS,
    ),
    Case("TO_CHAR(C, 'YYYYMMDD')", "date?", "character(8)?", DAYS, DIGITS),
    Case("TO_CHAR(C, 'YYYYMMDDHH24MISS')", "timestamp(6) without time zone?", "text?", MOMENTS, DIGITS),
    Case("CAST(C AS NUMBER(8))", "character(8)?", "numeric(8)?", DIGITS | CHARS, st.integers(-5, 10**8 - 1)),
    Case("TO_NUMBER(C)", "text?", "bigint?", st.sampled_from(["1", "01", "-5", "1.0", "x", " 1"]), WHOLE),
    Case("CAST(C AS VARCHAR(20))", "bigint?", "character varying(20)?", WHOLE, CHARS | st.just("12"), "tsql"),
    Case("CONVERT(date, C, 112)", "character(8)?", "date?", DIGITS, DAYS, "tsql"),
    Case("STR_TO_DATE(C, '%Y-%m-%d')", "text?", "date?", CHARS | DAYS.map(str), DAYS, "mysql"),
    Case("c / 4.0", "numeric(10,1)?", "numeric(16,4)?", MONEY, MONEY, "postgres"),
    Case("C + 3", "timestamp without time zone?", "timestamp without time zone?", MOMENTS, MOMENTS),
    Case("DATEADD(day, -30, C)", "date?", "date?", DAYS, DAYS, "tsql"),
    Case("NVL(C, DATE '9999-12-31')", "date?", "date?", DAYS, DAYS | st.just(date(9999, 12, 31))),
    Case("NULLIF(C, DATE '0001-01-01')", "date?", "date?", DAYS | st.just(date(1, 1, 1)), DAYS),
    Case("CASE C WHEN 'S' THEN TRUE WHEN 'C' THEN FALSE END", "text?", "boolean?", CODES, st.booleans(), "mysql"),
    Case("strangler.blank_to_null(C)", "text?", "text?", CODES, CODES),
    Case("strangler.flag(C, 'C', 'S')", "character(1)?", "boolean?", st.sampled_from("CSx "), st.booleans()),
    Case(
        "strangler.date_or_null(C, 'YYYYMMDD')",
        "character(8)?",
        "date?",
        DAYS.map(lambda d: f"{d.year:04}{d:%m%d}") | st.sampled_from(["00000000", "99999999", "        "]),
        DAYS,
    ),
    Case("strangler.short_date(C, 'YYMMDD', 70)", "character(6)?", "date?", SHORT | st.just("000229"), CENTURY),
    Case("strangler.short_date(C, 'DDMMYY', 30)", "text?", "date?", SHORT, CENTURY),
    Case("strangler.packed(C, 5, 2)", "bytea?", "numeric(9,3)?", PACKED, MONEY | st.just(Decimal("1.005"))),
    Case("strangler.zoned(C, 5, 2)", "character varying(5)?", "numeric(7,2)?", ZONED, MONEY),
    Case("strangler.zoned(C, 5, 0) * 10", "character(5)?", "integer?", ZONED, st.integers(-99999, 99999)),
]
ONE_WAY = [
    *[OneWay(expression, "character(4)", "text?") for expression in ("UPPER(C)", "SUBSTR(C, 1, 2)", "LPAD(C, 8, '0')")],
    OneWay("TRIM(C)", "character varying(4)", "text?"),
    OneWay("DECODE(C, 'C', 'current', 'other')", "text", "text"),
    OneWay("DECODE(C, 'C', 'current', 'S', 'current')", "text", "text?"),
    OneWay("TRUNC(C)", "timestamp without time zone", "timestamp without time zone"),
    OneWay("TO_CHAR(C, 'YYYYMM')", "date", "text"),
    OneWay("ROUND(C, 1)", "numeric(8,2)", "numeric(8,1)"),
    OneWay("C * 3", "numeric(8,2)", "numeric(10,2)"),
    OneWay("C || '-' || ID", "text", "text", source_key="character varying(4)"),
    OneWay("'EUR'", "text", "text"),
]


@pytest.fixture(scope="module")
def conn(modern_server: Cluster) -> Iterator[psycopg.Connection]:
    url = modern_server.create_database("laws")
    with psycopg.connect(url, autocommit=True) as found:
        install_functions(found)
        yield found
    modern_server.drop_database("laws")


def _broken(conn: psycopg.Connection, mapping: Mapping, kinds: tuple[str, str], values: list[object]) -> list[object]:
    """The values of the mapping's source that do not come back though every guard holds."""
    back = mapping.reverse()
    here, there = (kind.removesuffix("?") for kind in kinds)
    (mine,) = [column for column in mapping.columns if column.name not in mapping.key]
    (other,) = [column for column in back.columns if column.name not in back.key]
    guard = " AND ".join(f"({test})" for test in (mine.guard, mapping.consistent, mapping.where) if test) or "true"
    statement = f"""
        WITH rows AS MATERIALIZED (SELECT n::int AS id, v::{here} AS {other.name}
                                   FROM unnest(%(values)s::text[]) WITH ORDINALITY AS u(v, n)),
             good AS MATERIALIZED (SELECT * FROM rows WHERE ({guard}) IS TRUE),
             there AS MATERIALIZED (SELECT id, CAST({mine.name} AS {there}) AS {mine.name}
                                    FROM ({mapping.select("good")}) AS f),
             again AS MATERIALIZED (SELECT id, CAST({other.name} AS {here}) AS {other.name}
                                    FROM ({back.select("there")}) AS f)
        SELECT good.{other.name}, again.{other.name} FROM good FULL JOIN again USING (id)
        WHERE good.{other.name} IS DISTINCT FROM again.{other.name}"""
    escaped = statement.replace("%", "%%").replace("%%(values)s", "%(values)s")
    texts = [None if value is None else str(value) for value in values]
    return conn.execute(escaped, {"values": texts}).fetchall()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.expression} of {case.source}")
def test_a_row_comes_back_under_its_guard(case: Case, conn: psycopg.Connection, tmp_path: Path) -> None:
    source, target = table("s", f"id integer, c {case.source}"), table("t", f"id integer, v {case.target}")
    mapping = built(tmp_path, f"SELECT ID AS id, {case.expression} AS v FROM s", source, target, case.dialect)
    kinds = case.source, case.target
    many = {"min_size": 30, "max_size": 60}

    # Shrinking takes a minute and says little: the rows that do not come back are in the message.
    @settings(
        phases=[Phase.generate],
        max_examples=6,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(case.values | st.none(), **many), st.lists(case.results | st.none(), **many))
    def holds(values: list[object], results: list[object]) -> None:
        assert _broken(conn, mapping, kinds, values) == []
        assert _broken(conn, mapping.reverse(), (kinds[1], kinds[0]), results) == []

    holds()


RAISING = ("TO_DATE", "TO_TIMESTAMP", "CONVERT", "STR_TO_DATE", "TO_NUMBER", "CAST(", "strangler.", "TO_CHAR")
WITH_RESIDUE = [case for case in CASES if not case.expression.startswith(RAISING)] + [
    Case("UPPER(C)", "character(4)?", "text?", CHARS, CHARS),
    Case("SUBSTR(C, 1, 2)", "character(4)", "text?", CODES, CODES),
    Case("LPAD(C, 8, '0')", "text?", "text?", CODES, CODES, "postgres"),
    Case("TRIM(C)", "character varying(4)?", "text?", CODES, CODES),
    Case("TRIM(C)", "text", "character varying(9)", CODES, CODES, "mysql"),
    Case("DECODE(C, 'C', 'current', 'other')", "character(4)?", "text?", CODES, ENGLISH),
    Case("DECODE(C, 'C', 'current', 'S', 'current', 'none')", "text", "text", CODES, ENGLISH),
    Case("DECODE(C, 'S', 'none', NULL, 'none', 'C', 'current')", "text?", "text?", CODES, ENGLISH),
    Case("CASE WHEN C IN ('S', 'C') THEN 1 ELSE 2.5 END", "text?", "numeric(3,1)", CODES, TENTHS),
    Case("TRUNC(C)", "timestamp without time zone?", "timestamp without time zone?", MOMENTS, MOMENTS),
    Case("TO_CHAR(C, 'YYYYMM')", "date?", "text?", DAYS, DIGITS),
    Case("ROUND(C, 1)", "numeric(8,2)?", "numeric(8,1)?", MONEY, MONEY),
    Case("ROUND(C, -2)", "integer?", "bigint?", st.integers(-(10**6), 10**6), WHOLE),
    Case("C * 3", "numeric(12,2)?", "numeric(14,2)?", MONEY, MONEY),
]


@pytest.mark.parametrize("case", WITH_RESIDUE, ids=lambda case: f"{case.expression} of {case.source}")
def test_with_a_residue_every_row_comes_back_and_a_new_value_wins(
    case: Case, conn: psycopg.Connection, tmp_path: Path
) -> None:
    kinds = tuple(kind.removesuffix("?") for kind in (case.source, case.target))
    source = table("s", f"id integer, c {case.source}")
    target = table("t", f"id integer, v {case.target}, v_residue {kinds[0]}?")
    select = f"SELECT ID AS id, {case.expression} AS v, strangler.residue(C, {case.expression}) AS v_residue FROM s"
    mapping = built(tmp_path, select, source, target, case.dialect)
    back = mapping.reverse()
    many = {"min_size": 30, "max_size": 60}
    nothing = st.none() if case.source.endswith("?") else st.nothing()
    fresh = st.none() if case.target.endswith("?") else st.nothing()

    @settings(
        phases=[Phase.generate],
        max_examples=6,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(case.values | nothing, **many), st.lists(case.results | fresh, **many))
    def holds(values: list[object], results: list[object]) -> None:
        lost, unequal = _with_residue(conn, mapping, back, (kinds[0], kinds[1]), values, results)
        assert lost == []
        assert unequal == []

    holds()


def _with_residue(
    conn: psycopg.Connection,
    mapping: Mapping,
    back: Mapping,
    kinds: tuple[str, str],
    values: list[object],
    results: list[object],
) -> tuple[list[object], list[object]]:
    """Rows that do not come back; and rows that modern wrote which, once back, do not compare as equal."""
    here, there = kinds
    stands = next(column.stands for column in mapping.columns if column.name == "v_residue")
    wide_enough = f"(length(v) <= {there[18:-1]})" if there.startswith("character varying(") else "true"
    statement = f"""
        WITH rows AS MATERIALIZED (SELECT n::int AS id, v::{here} AS c FROM unnest(%(values)s::text[]) WITH ORDINALITY AS u(v, n)),
             there AS MATERIALIZED (SELECT id, CAST(v AS {there}) AS v, CAST(v_residue AS {here}) AS v_residue
                                    FROM ({mapping.select("rows")}) AS f),
             again AS MATERIALIZED (SELECT id, CAST(c AS {here}) AS c FROM ({back.select("there")}) AS f),
             fresh AS MATERIALIZED (SELECT n::int AS id, v::{there} AS v FROM unnest(%(results)s::text[]) WITH ORDINALITY AS u(v, n)
                                    WHERE {wide_enough}),
             -- modern writes another value and leaves the residue as it was
             written AS MATERIALIZED (SELECT id, fresh.v, there.v_residue FROM fresh JOIN there USING (id)),
             good AS MATERIALIZED (SELECT * FROM written WHERE ({back.consistent or "true"})),
             legacy AS MATERIALIZED (SELECT id, CAST(c AS {here}) AS c FROM ({back.select("good")}) AS f),
             anew AS MATERIALIZED (SELECT id, CAST(v AS {there}) AS v, CAST(v_residue AS {here}) AS v_residue
                                   FROM ({mapping.select("legacy")}) AS f)
        SELECT 'lost', rows.c::text, again.c::text FROM rows FULL JOIN again USING (id) WHERE rows.c IS DISTINCT FROM again.c
        UNION ALL
        SELECT 'unequal', n.c::text, m.v::text FROM legacy AS n JOIN anew USING (id) JOIN
               (SELECT id, v, {stands} AS v_residue FROM good) AS m USING (id)
        WHERE ROW(m.v, m.v_residue) IS DISTINCT FROM ROW(anew.v, anew.v_residue)"""
    escaped = statement.replace("%", "%%").replace("%%(values)s", "%(values)s").replace("%%(results)s", "%(results)s")
    texts = [[None if value is None else str(value) for value in found] for found in (values, results)]
    rows = conn.execute(escaped, {"values": texts[0], "results": texts[1]}).fetchall()
    return [row for row in rows if row[0] == "lost"], [row for row in rows if row[0] == "unequal"]


def _built(folder: Path, case: Case | OneWay) -> Mapping:
    key = case.source_key if isinstance(case, OneWay) else "integer"
    source, target = table("s", f"id {key}, c {case.source}"), table("t", f"id {key}, v {case.target}")
    dialect = case.dialect if isinstance(case, Case) else "oracle"
    return built(folder, f"SELECT ID AS id, {case.expression} AS v FROM s", source, target, dialect)


def test_the_class_and_the_inverse_of_each_expression_are_on_their_page(tmp_path: Path) -> None:
    rows, counts = [], {"lossless": 0, "guarded": 0, "lossy": 0, "opaque": 0, "constant": 0}
    for case in [*CASES, *ONE_WAY]:
        column = _built(tmp_path, case).columns[1]
        counts[column.kind] += 1
        why = code(column.guard) if column.guard else column.reason
        kinds = f"{case.source.removesuffix('?')} to {case.target.removesuffix('?')}"
        rows.append((code(case.expression), kinds, column.kind, code(column.inverse or ""), why))
    assert [
        row[0] for row, case in zip(rows, [*CASES, *ONE_WAY], strict=True) if isinstance(case, OneWay) and row[3]
    ] == []
    page(
        "ways-back.md",
        f"""# How far the way back can be trusted

Made by `tests/scenarios/test_a_mapping_goes_there_and_back.py`. For each of the {len(CASES)} expressions with an inverse it
proves on PostgreSQL 18, with generated rows, that put(get(row)) = row wherever the guard holds, and that
get(put(value)) = value wherever the guard of the way back holds. Of all {len(rows)} expressions
{", ".join(f"{count} are {kind}" for kind, count in counts.items())}.

A guard is SQL over the source's columns; `strangler sync check` runs it and counts the rows outside of it.

A lossy column becomes reversible by a residue, `strangler.residue(C, EXPRESSION) AS v_residue` below it (`strangler sync
check --residue` writes it). For {len(WITH_RESIDUE)} expressions, lossy and guarded ones, the same test proves without any guard that
put(get(row)) = row, and that after modern has written another value beside a residue both sides compare as equal.

{page_table(("expression over C", "types", "class", "inverse (v is the target's column)", "guard, or why there is none"), rows)}""",
    )


def test_a_value_that_is_no_date_is_an_error_that_names_only_the_format(conn: psycopg.Connection) -> None:
    for value in ("20260229", "2026131", "26-01-01", "SECRET", ""):
        with pytest.raises(psycopg.errors.InvalidDatetimeFormat) as caught:
            conn.execute("SELECT strangler.parse_date(%s, 'YYYYMMDD')", (value,))
        assert "YYYYMMDD" in str(caught.value)
        assert not value or value not in str(caught.value)


def test_a_timestamp_does_not_depend_on_the_time_zone_of_the_session(conn: psycopg.Connection) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL TimeZone = 'Europe/Berlin'")
        statement = "SELECT strangler.parse_timestamp('2026-03-29.02.30.00.000001', 'YYYY-MM-DD.HH24.MI.SS.US')"
        assert conn.execute(statement).fetchone() == (datetime(2026, 3, 29, 2, 30, 0, 1),)


def test_an_opaque_column_comes_back_by_the_reverse_select_of_its_author(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    source = table("s", "id integer, first text, last text")
    target = table("t", "id integer, full_name text")
    select = """SELECT ID AS id, FIRST || '/' || LAST AS full_name FROM s
-- reverse:
SELECT split_part(full_name, '/', 1) AS first, split_part(full_name, '/', 2) AS last FROM t"""
    mapping = built(tmp_path, select, source, target)
    (_, opaque) = mapping.columns
    assert opaque.kind == "opaque"
    assert opaque.inverse == "split_part(full_name, '/', 1) AS first, split_part(full_name, '/', 2) AS last"
    back = mapping.reverse()
    assert [column.name for column in back.columns] == ["id", "first", "last"]
    rows = "(VALUES (1, 'Ada', 'Lovelace'), (2, 'a/b', 'c'), (3, '', '')) AS rows(id, first, last)"
    kept = [row[0] for row in conn.execute(f"SELECT id FROM {rows} WHERE {opaque.guard} ORDER BY id".encode())]
    assert kept == [1, 3]
    again = back.select(f"({mapping.select(rows)}) AS there")
    assert conn.execute(again.encode()).fetchall()[0] == (1, "Ada", "Lovelace")
    targets = "(VALUES (1, 'x/y'), (2, 'no mark')) AS rows(id, full_name)"
    good = conn.execute(f"SELECT id FROM {targets} WHERE {back.consistent}".encode()).fetchall()
    assert good == [(1,)]


def test_a_mapping_without_a_way_back_says_how_to_write_one(tmp_path: Path) -> None:
    source = table("s", "id integer, first text, last text")
    target = table("t", "id integer, full_name text")
    mapping = built(tmp_path, "SELECT ID AS id, FIRST || LAST AS full_name FROM s", source, target)
    with pytest.raises(NotInvertible, match="`-- reverse:`"):
        mapping.reverse()
