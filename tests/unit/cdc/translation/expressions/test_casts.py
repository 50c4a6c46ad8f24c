"""Exact casts pass, with a guard where a value may not fit; the others are refused."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, n numeric(12,2), c character(4), b text, d date, m timestamp without time zone")

CASES = [
    ("oracle", "CAST(N AS NUMBER(14,2))", "numeric(14,2)", "CAST(n AS numeric(14, 2))", "lossless"),
    ("oracle", "CAST(N AS NUMBER(12,1))", "numeric(12,1)", "CAST(n AS numeric(12, 1))", "guarded"),
    ("tsql", "CAST(N AS decimal)", "numeric", "CAST(n AS numeric(18, 0))", "guarded"),
    ("oracle", "TO_NUMBER(B)", "numeric", "strangler.parse_number(b)", "guarded"),
    ("oracle", "TO_NUMBER(N)", "numeric(12,2)", "n", "lossless"),
    ("mysql", "CAST(B AS CHAR(3))", "character varying(3)", "CAST(b AS varchar(3))", "guarded"),
    ("oracle", "CAST(C AS VARCHAR2(4))", "text", "CAST(CAST(c AS varchar(4)) AS text)", "lossless"),
    ("tsql", "CAST(ID AS VARCHAR(20))", "text", "CAST(CAST(CAST(id AS text) AS varchar(20)) AS text)", "guarded"),
    ("tsql", "CAST(M AS DATE)", "date", "CAST(m AS date)", "lossy"),
    ("tsql", "CAST(D AS DATETIME2)", "timestamp without time zone", "CAST(d AS timestamp)", "lossless"),
]


@pytest.mark.parametrize(("dialect", "expression", "kind", "sql", "class_"), CASES)
def test_a_cast_that_is_exact(tmp_path: Path, dialect: str, expression: str, kind: str, sql: str, class_: str) -> None:
    target = table("t", f"id integer, v {kind}")
    (_, column) = built(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, target, dialect).columns
    assert (column.expression, column.kind) == (sql, class_)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("CAST(M AS DATE)", "Oracle's DATE has a time of day"),
        ("CAST(N AS FLOAT)", "is not known to be exact"),
        ("CAST(N AS VARCHAR(20))", "has more than one text"),
        ("CAST(B AS TIMESTAMP)", "a value of type text does not become timestamp by itself"),
        ("TO_NUMBER(B, '999')", "TO_NUMBER with a format"),
        ("TO_NUMBER(D)", "TO_NUMBER of a value of type date"),
    ],
)
def test_a_cast_that_is_not_exact_is_refused(tmp_path: Path, expression: str, problem: str) -> None:
    target = table("t", "id integer, v text")
    (found,) = refused(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, target)
    assert problem in found.problem
    assert found.remedy
