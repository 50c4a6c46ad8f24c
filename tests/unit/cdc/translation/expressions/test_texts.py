"""Functions of text keep the blanks of CHAR, read Oracle's empty text as NULL, and refuse operands that can be NULL."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, a character(4), b text, c text?")
TARGET = table("t", "id integer, v text?")

CASES = [
    ("oracle", "LTRIM(B, '0')", "NULLIF(ltrim(b, '0'), '')", "lossy"),
    (
        "oracle",
        "SUBSTR(B, -3)",
        "NULLIF(CASE WHEN length(b) >= 3 THEN substr(b, length(b) - 2) ELSE '' END, '')",
        "lossy",
    ),
    ("oracle", "SUBSTR(B, 0, 2)", "NULLIF(substr(b, 1, 2), '')", "lossy"),
    ("tsql", "SUBSTRING(B, 0, 2)", "substr(b, 0, 2)", "lossy"),
    ("tsql", "LEFT(A, 3)", "left(rpad(CAST(a AS text), 4), 3)", "lossy"),
    ("oracle", "TRANSLATE(B, 'ab', 'xy')", "NULLIF(translate(b, 'ab', 'xy'), '')", "lossy"),
    ("oracle", "TRIM(B)", "NULLIF(btrim(CAST(b AS text)), '')", "lossy"),
    ("tsql", "LTRIM(B)", "ltrim(CAST(b AS text))", "lossy"),
    ("tsql", "RTRIM(A)", "rtrim(CAST(a AS text))", "lossless"),
    ("oracle", "RTRIM(A)", "NULLIF(rtrim(CAST(a AS text)), '')", "guarded"),
    ("oracle", "UPPER(A)", "upper(rpad(CAST(a AS text), 4))", "lossy"),
    ("oracle", "SUBSTR(A, 1, 2)", "NULLIF(substr(rpad(CAST(a AS text), 4), 1, 2), '')", "lossy"),
    ("oracle", "LPAD(B, 8, '0')", "lpad(b, 8, '0')", "lossy"),
    ("mysql", "REPLACE(B, 'x', 'y')", "replace(b, 'x', 'y')", "lossy"),
]


@pytest.mark.parametrize(("dialect", "expression", "sql", "kind"), CASES)
def test_text_is_translated(tmp_path: Path, dialect: str, expression: str, sql: str, kind: str) -> None:
    (_, column) = built(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, TARGET, dialect).columns
    assert (column.expression, column.kind) == (sql, kind)


def test_the_length_of_char_counts_its_blanks(tmp_path: Path) -> None:
    target = table("t", "id integer, v integer")
    (_, column) = built(tmp_path, "SELECT ID AS id, LENGTH(A) AS v FROM s", SOURCE, target).columns
    assert column.expression == "length(rpad(CAST(a AS text), 4))"


@pytest.mark.parametrize(
    ("expression", "problem", "dialect"),
    [
        ("UPPER(ID)", "a function of text is given a value of type integer", "oracle"),
        ("TRIM('ab' FROM B)", "TRIM of something else", "mysql"),
        ("SUBSTRING(B, 0)", "SUBSTRING from 0 is empty", "mysql"),
        ("LENGTH(B)", "LENGTH counts bytes", "mysql"),
        ("INSTR(B, 'x', -1)", "INSTR from the end", "oracle"),
        ("TRANSLATE(B, C, 'x')", "TRANSLATE needs constant characters", "oracle"),
        ("SUBSTR(B, ID)", "SUBSTR needs constant numbers", "oracle"),
    ],
)
def test_text_that_reads_differently_is_refused(tmp_path: Path, expression: str, problem: str, dialect: str) -> None:
    (found,) = refused(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, TARGET, dialect)
    assert problem in found.problem
    assert found.remedy
