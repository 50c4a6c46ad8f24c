"""DB2 is a small subset: what is in it is translated, what is outside is refused by its name and line."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, a character(8), b character varying(9)?, n numeric(12,2), i integer, d date")

CASES = [
    ("VALUE(B, 'x')", "text?", "COALESCE(b, 'x')"),
    ("UCASE(B)", "text?", "upper(b)"),
    ("B || 'x'", "text?", "(b || 'x')"),
    ("I / 2", "numeric?", "div(CAST(i AS numeric), 2)"),
    ("N / 100", "numeric?", "(n * 0.01)"),
    ("CAST(N AS DECIMAL(10,1))", "numeric?", "CAST(n AS numeric(10, 1))"),
    ("CASE WHEN A = 'X' THEN 1 ELSE 0 END", "integer?", "CASE a WHEN 'X' THEN 1 ELSE 0 END"),
    ("YEAR(D)", "integer?", "CAST(EXTRACT(year FROM d) AS integer)"),
    ("SUBSTR(A, 1, 2)", "text?", "substr(rpad(CAST(a AS text), 8), 1, 2)"),
]


@pytest.mark.parametrize(("expression", "kind", "sql"), CASES)
def test_the_subset_is_translated(tmp_path: Path, expression: str, kind: str, sql: str) -> None:
    target = table("t", f"id integer, v {kind}")
    (_, column) = built(tmp_path, f"SELECT ID AS ID, {expression} AS V FROM S", SOURCE, target, "db2").columns
    assert sql in column.expression


@pytest.mark.parametrize(
    ("select", "problem"),
    [
        ("SELECT ID AS ID, D + 1 MONTH AS V FROM S", "a labelled duration"),
        ("SELECT ID AS ID, CURRENT DATE AS V FROM S", "a special register"),
        ("SELECT ID AS ID, A CONCAT B AS V FROM S", "CONCAT between its operands"),
        ("SELECT ID AS ID, DIGITS(I) AS V FROM S", "DIGITS is outside of the subset"),
        ("SELECT ID AS ID, CHAR(D, ISO) AS V FROM S", "CHAR(...) as a function"),
        ("SELECT ID AS ID, B AS V FROM S WITH UR", "WITH (an isolation level"),
        ("SELECT ID AS ID, B AS V FROM S FETCH FIRST 5 ROWS ONLY", "FETCH FIRST"),
        ("SELECT ID AS ID, B V FROM S", "B V is outside"),
        ("SELECT ID AS ID, B ^ 2 AS V FROM S", "'^' is outside"),
        ("SELECT ID AS ID, DAYS(D) AS V FROM S", "DAYS is outside"),
    ],
)
def test_what_is_outside_is_refused_by_name(tmp_path: Path, select: str, problem: str) -> None:
    found = refused(tmp_path, select, SOURCE, table("t", "id integer, v text?"), "db2")
    assert problem in found[0].problem
    assert found[0].remedy
    assert found[0].place.line == 4
