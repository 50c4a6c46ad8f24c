"""Dates are read and written by fixed formats only."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, a character(8), b text?, d date, m timestamp(6) without time zone")
DAY, MOMENT, TEXT = "date?", "timestamp without time zone?", "text?"

CASES = [
    (
        "oracle",
        "TO_DATE(A, 'DDMMYYYY')",
        DAY,
        "strangler.parse_date(a, 'DDMMYYYY')",
        "to_char(CAST(v AS timestamp), 'DDMMYYYY')",
        "strangler.is_date(a, 'DDMMYYYY')",
    ),
    (
        "oracle",
        "TO_DATE(B, 'YYYYMMDDHH24MISS')",
        MOMENT,
        "strangler.parse_timestamp(b, 'YYYYMMDDHH24MISS')",
        "to_char(CAST(v AS timestamp), 'YYYYMMDDHH24MISS')",
        "(strangler.is_timestamp(b, 'YYYYMMDDHH24MISS')) IS NOT FALSE",
    ),
    (
        "oracle",
        "TO_TIMESTAMP(B, 'YYYY-MM-DD.HH24.MI.SS.FF3')",
        MOMENT,
        "strangler.parse_timestamp(b, 'YYYY-MM-DD.HH24.MI.SS.MS')",
        "to_char(CAST(v AS timestamp), 'YYYY-MM-DD.HH24.MI.SS.MS')",
        "(strangler.is_timestamp(b, 'YYYY-MM-DD.HH24.MI.SS.MS')) IS NOT FALSE",
    ),
    (
        "tsql",
        "CONVERT(date, A, 112)",
        DAY,
        "strangler.parse_date(a, 'YYYYMMDD')",
        "to_char(CAST(v AS timestamp), 'YYYYMMDD')",
        "strangler.is_date(a, 'YYYYMMDD')",
    ),
    (
        "mysql",
        "STR_TO_DATE(B, '%d.%m.%Y')",
        DAY,
        "strangler.parse_date(b, 'DD.MM.YYYY')",
        "to_char(CAST(v AS timestamp), 'DD.MM.YYYY')",
        "(strangler.is_date(b, 'DD.MM.YYYY')) IS NOT FALSE",
    ),
    (
        "oracle",
        "TO_CHAR(D, 'YYYYMMDD')",
        TEXT,
        "to_char(CAST(d AS timestamp), 'YYYYMMDD')",
        "strangler.parse_date(v, 'YYYYMMDD')",
        "d >= '0001-01-01' AND d < '10000-01-01'",
    ),
    (
        "mysql",
        "DATE_FORMAT(M, '%Y%m%d')",
        TEXT,
        "to_char(CAST(m AS timestamp), 'YYYYMMDD')",
        "strangler.parse_timestamp(v, 'YYYYMMDD')",
        "m >= '0001-01-01' AND m < '10000-01-01' AND m = date_trunc('day', m)",
    ),
]


@pytest.mark.parametrize(("dialect", "expression", "kind", "sql", "inverse", "guard"), CASES)
def test_a_fixed_format_goes_both_ways(
    tmp_path: Path, dialect: str, expression: str, kind: str, sql: str, inverse: str, guard: str
) -> None:
    target = table("t", f"id integer, v {kind}")
    (_, column) = built(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, target, dialect).columns
    assert (column.expression, column.inverse, column.guard) == (sql, inverse, guard)


@pytest.mark.parametrize(
    ("expression", "problem", "dialect"),
    [
        ("TO_DATE(A)", "the date has no format", "oracle"),
        ("TO_DATE(A, 'DD-MON-YY')", "not made of digits and punctuation", "oracle"),
        ("TO_DATE(A, B)", "not a constant", "oracle"),
        ("TO_TIMESTAMP(b, 'YYYYMMDD')", "a time with zone", "postgres"),
        ("CONVERT(date, A, 6)", "CONVERT is translated with the styles", "tsql"),
        ("CONVERT(date, A, 120)", "do not say the same", "tsql"),
    ],
)
def test_a_date_that_depends_on_the_session_is_refused(
    tmp_path: Path, expression: str, problem: str, dialect: str
) -> None:
    target = table("t", "id integer, v date?")
    (found,) = refused(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, target, dialect)
    assert problem in found.problem
    assert found.remedy
