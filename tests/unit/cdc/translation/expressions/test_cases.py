"""Tables of literals are read backwards; what two values share, or ELSE collects, is not."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, a character(4), b text?, n integer")
TARGET = table("t", "id integer, v text?")

CASES = [
    (
        "DECODE(A, 'C', 'x', 'S', 'y')",
        "CASE a WHEN 'C' THEN 'x' WHEN 'S' THEN 'y' END",
        "guarded",
        "CASE v WHEN 'x' THEN 'C' WHEN 'y' THEN 'S' END",
        "a IN ('C', 'S')",
    ),
    (
        "DECODE(B, NULL, 'none', 'C', 'x')",
        "CASE WHEN b IS NULL THEN 'none' WHEN b = 'C' THEN 'x' END",
        "guarded",
        "CASE v WHEN 'none' THEN NULL WHEN 'x' THEN 'C' END",
        "(b IS NULL OR b IN ('C'))",
    ),
    (
        "CASE WHEN A = 'C' THEN 'x' WHEN A IN ('S') THEN 'y' END",
        "CASE a WHEN 'C' THEN 'x' WHEN 'S' THEN 'y' END",
        "guarded",
        "CASE v WHEN 'x' THEN 'C' WHEN 'y' THEN 'S' END",
        "a IN ('C', 'S')",
    ),
    ("CASE WHEN A IN ('S', 'T') THEN 'y' END", "CASE a WHEN 'S' THEN 'y' WHEN 'T' THEN 'y' END", "lossy", None, None),
    ("DECODE(A, 'C', 'x', 'other')", "CASE a WHEN 'C' THEN 'x' ELSE 'other' END", "lossy", None, None),
    ("CASE WHEN N > 5 THEN 'x' ELSE 'y' END", "CASE WHEN n > 5 THEN 'x' ELSE 'y' END", "lossy", None, None),
    ("CASE WHEN N > 5 THEN B END", "CASE WHEN n > 5 THEN b END", "opaque", None, None),
    ("NVL2(B, 'x', 'y')", "CASE WHEN b IS NOT NULL THEN 'x' ELSE 'y' END", "lossy", None, None),
    ("NVL(B, 'x')", "COALESCE(b, 'x')", "guarded", "NULLIF(v, 'x')", "(b <> 'x') IS NOT FALSE"),
    ("NULLIF(B, 'x')", "NULLIF(b, 'x')", "guarded", "COALESCE(v, 'x')", "b IS NOT NULL"),
    ("COALESCE(B, CAST(N AS VARCHAR(9)), 'x')", None, "opaque", None, None),
]


@pytest.mark.parametrize(("expression", "sql", "kind", "inverse", "guard"), CASES)
def test_a_choice_has_the_class_it_deserves(
    tmp_path: Path, expression: str, sql: str | None, kind: str, inverse: str | None, guard: str | None
) -> None:
    (_, column) = built(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, TARGET, "oracle").columns
    assert (column.kind, column.inverse, column.guard) == (kind, inverse, guard)
    assert sql in (None, column.expression)
    assert bool(column.reason) == (inverse is None)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("DECODE(A, 'FEE', 'x', 'FEE ', 'y')", "the same value is compared with twice"),
        ("CASE A WHEN NULL THEN 'x' END", "CASE x WHEN NULL is never true"),
        ("DECODE(A, 1, 'x')", "a value of type bpchar is compared with a some number literal"),
        ("DECODE(A, B, 'x')", "not a literal"),
        ("DECODE(A, 'C', 'x', 'S', 1)", "the results have different types"),
        ("NULLIF(B, 1)", "NULLIF compares values of different types"),
    ],
)
def test_a_choice_that_reads_differently_is_refused(tmp_path: Path, expression: str, problem: str) -> None:
    (found,) = refused(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, TARGET)
    assert problem in found.problem
    assert found.remedy
