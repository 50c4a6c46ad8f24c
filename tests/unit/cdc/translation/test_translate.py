"""What is translated is in one table; what is not is refused by its name."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, a character(4)?, b text, d date, n numeric(12,2), x bytea?")
TARGET = table("t", "id integer, v text?")

WHERES = [
    ("oracle", "A <> 'X'", "a <> 'X'"),
    ("oracle", "B = 'x' AND (N > 5 OR NOT N = 3)", "(b = 'x' AND (n > 5 OR NOT (n = 3)))"),
    ("oracle", "A IS NULL OR A IS NOT NULL", "(a IS NULL OR a IS NOT NULL)"),
    ("oracle", "B IN ('x', 'y') AND B NOT IN ('z')", "(b IN ('x', 'y') AND NOT (b IN ('z')))"),
    ("oracle", "B < 'm'", "(b COLLATE \"C\") < 'm'"),
    ("oracle", "N BETWEEN 1 AND 2", "n BETWEEN 1 AND 2"),
    ("oracle", "B LIKE 'a%'", "b LIKE 'a%'"),
    ("tsql", "[B] = N'it''s'", "b = 'it''s'"),
    ("mysql", "`B` = 'x' AND n != 1", "(b = 'x' AND n <> 1)"),
    ("postgres", "b = 'x'", "b = 'x'"),
]
REFUSED = [
    ("oracle", "MY_FUNCTION(B)", "MY_FUNCTION is not known to mean the same"),
    ("oracle", "INITCAP(B)", "INITCAP is not known to mean the same"),
    ("oracle", "X", "a value of type bytea does not become text"),
    ("oracle", "D", "a value of type date does not become text"),
    ("mysql", "a || b", "a value of type bpchar stands where a condition is needed"),
]
REFUSED_WHERES = [
    ("oracle", "N = '5'", "is compared with one of type text"),
    ("oracle", "B = NULL", "a comparison with NULL is never true"),
    ("oracle", "A = B", "CHAR is compared with VARCHAR"),
    ("tsql", "B LIKE '[a-c]%'", "this LIKE reads differently"),
    ("oracle", "B LIKE 'a\\_b'", "this LIKE reads differently"),
]


@pytest.mark.parametrize(("dialect", "condition", "sql"), WHERES)
def test_a_condition_is_translated(tmp_path: Path, dialect: str, condition: str, sql: str) -> None:
    mapping = built(tmp_path, f"SELECT id AS id, b AS v FROM s WHERE {condition}", SOURCE, TARGET, dialect)
    assert mapping.where == sql


@pytest.mark.parametrize(("dialect", "expression", "problem"), REFUSED)
def test_what_is_not_known_is_refused_by_name(tmp_path: Path, dialect: str, expression: str, problem: str) -> None:
    (found,) = refused(tmp_path, f"SELECT id AS id, {expression} AS v FROM s", SOURCE, TARGET, dialect)
    assert problem in found.problem
    assert found.remedy
    assert (found.place.line, found.column) == (4, "v")


@pytest.mark.parametrize(("dialect", "condition", "problem"), REFUSED_WHERES)
def test_a_condition_that_reads_differently_is_refused(
    tmp_path: Path, dialect: str, condition: str, problem: str
) -> None:
    (found,) = refused(tmp_path, f"SELECT id AS id, b AS v FROM s WHERE {condition}", SOURCE, TARGET, dialect)
    assert problem in found.problem
    assert found.remedy
    assert found.column == "WHERE"
