"""Dates are moved, cut and counted as their dialect does it; what depends on a calendar of its own is refused."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, d date, t timestamp without time zone?, a text, n integer")

CASES = [
    ("oracle", "TRUNC(T)", "timestamp", "date_trunc('day', t)", "lossy"),
    ("oracle", "TRUNC(D, 'YYYY')", "date", "CAST(date_trunc('year', CAST(d AS timestamp)) AS date)", "lossy"),
    ("oracle", "ADD_MONTHS(T, -1)", "timestamp", "strangler.add_months(t, CAST((-1) AS integer))", "lossy"),
    ("oracle", "D + 7", "date", "CAST((d + interval '7 day') AS date)", "lossless"),
    ("oracle", "T - 1", "timestamp", "(t + interval '-1 day')", "lossless"),
    ("tsql", "DATEADD(hour, 2, T)", "timestamp", "(t + interval '2 hour')", "lossless"),
    ("tsql", "DATEADD(quarter, 1, D)", "date", "CAST((d + interval '3 month') AS date)", "lossy"),
    ("mysql", "DATE_SUB(D, INTERVAL 2 WEEK)", "date", "CAST((d + interval '-2 week') AS date)", "lossless"),
    ("mysql", "MONTH(T)", "integer", "CAST(EXTRACT(month FROM t) AS integer)", "lossy"),
    ("tsql", "DATEDIFF(day, T, D)", "integer", "CAST(CAST(d AS date) - CAST(t AS date) AS integer)", "opaque"),
    ("oracle", "DATE '2026-01-31'", "date", "CAST('2026-01-31' AS date)", "constant"),
]


@pytest.mark.parametrize(("dialect", "expression", "kind", "sql", "law"), CASES)
def test_a_date_is_moved_as_its_dialect_does(
    tmp_path: Path, dialect: str, expression: str, kind: str, sql: str, law: str
) -> None:
    target = table("t", f"id integer, v {kind.replace('timestamp', 'timestamp without time zone')}?")
    (_, column) = built(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, target, dialect).columns
    assert (column.expression, column.kind) == (sql, law)


@pytest.mark.parametrize(
    ("dialect", "expression", "problem"),
    [
        ("oracle", "TRUNC(T, 'D')", "TRUNC of a date by"),
        ("oracle", "TRUNC(A, 'MM')", "a function of dates is given a value of type text"),
        ("oracle", "D + N", "something else than a constant number of days"),
        ("oracle", "T + 0.5", "something else than a constant number of days"),
        ("oracle", "DATE '2026-02-31'", "a date literal is no date"),
        ("oracle", "EXTRACT(SECOND FROM T)", "EXTRACT of second differs"),
        ("tsql", "DATEADD(day, N, D)", "something else than a constant"),
        ("tsql", "DATEADD(hour, 1, D)", "a date moved by HOUR"),
        ("tsql", "DATEDIFF(week, D, T)", "a difference of dates in"),
    ],
)
def test_what_has_a_calendar_of_its_own_is_refused(tmp_path: Path, dialect: str, expression: str, problem: str) -> None:
    target = table("t", "id integer, v timestamp without time zone?")
    (found,) = refused(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, target, dialect)
    assert problem in found.problem
    assert found.remedy
