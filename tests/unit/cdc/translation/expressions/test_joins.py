"""NULL among several values: left out or not, as each dialect has it."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, a character(4), b text, c text?, n numeric(8,2), m numeric(8,2)?, d date?")
MISSING = "CASE WHEN m IS NOT NULL THEN greatest(n, m) END"

CASES = [
    ("oracle", "A || '-' || B", "text", "((rpad(CAST(a AS text), 4) || '-') || b)", "opaque"),
    ("oracle", "C || C", "text", "NULLIF((COALESCE(c, '') || COALESCE(c, '')), '')", "opaque"),
    ("oracle", "B || C", "text", "(b || COALESCE(c, ''))", "opaque"),
    ("tsql", "B + C", "text", "(b || c)", "opaque"),
    ("tsql", "CONCAT(B, C)", "text", "(b || COALESCE(c, ''))", "opaque"),
    ("mysql", "CONCAT(B, C)", "text", "(b || c)", "opaque"),
    ("mysql", "CONCAT_WS('-', B, C)", "text", "concat_ws('-', b, c)", "opaque"),
    ("oracle", "GREATEST(N, M)", "numeric", f"CAST({MISSING} AS numeric)", "opaque"),
    ("mysql", "GREATEST(N, M)", "numeric", f"CAST({MISSING} AS numeric)", "opaque"),
    ("tsql", "GREATEST(N, M)", "numeric", "CAST(greatest(n, m) AS numeric)", "opaque"),
]


@pytest.mark.parametrize(("dialect", "expression", "kind", "sql", "law"), CASES)
def test_null_is_treated_as_in_its_dialect(
    tmp_path: Path, dialect: str, expression: str, kind: str, sql: str, law: str
) -> None:
    target = table("t", f"id integer, v {kind}?")
    (_, column) = built(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, target, dialect).columns
    assert (column.expression, column.kind) == (sql, law)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("GREATEST(B, 'x')", "for numbers or dates of one type"),
        ("GREATEST(N, D)", "for numbers or dates of one type"),
        ("CONCAT_WS(B, C, C)", "the separator of CONCAT_WS"),
        ("N || B", "a function of text is given a value of type numeric"),
    ],
)
def test_values_that_do_not_go_together_are_refused(tmp_path: Path, expression: str, problem: str) -> None:
    target = table("t", "id integer, v text?")
    (found,) = refused(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, target)
    assert problem in found.problem
    assert found.remedy
