"""Money stays numeric, constants are undone exactly, and what would round is refused."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, n numeric(12,2), m numeric(12,2)?, i bigint, c text, r double precision")
WIDE = table("t", "id integer, v numeric?")

TRANSLATED = [
    ("N / 100", "(n * 0.01)", "lossless", "(v * 100)"),
    ("N * 100", "(n * 100)", "lossless", "(v * 0.01)"),
    ("N / -8", "(n * (-0.125))", "lossless", "(v * (-8))"),
    ("I / 4", "(CAST(i AS numeric) * 0.25)", "lossless", "(v * 4)"),
    ("I + 1.5", "(CAST(i AS numeric) + 1.5)", "lossless", "(v - 1.5)"),
    ("10 - N", "(10 - n)", "lossless", "((v - 10) * (-1))"),
    ("-N", "(-n)", "lossless", "(v * (-1))"),
    ("(N)", "n", "lossless", "v"),
    ("N * 3", "(n * 3)", "lossy", None),
    ("N + M", "(n + m)", "opaque", None),
    ("ROUND(N, 1)", "round(n, 1)", "lossy", None),
    ("TRUNC(N, 1)", "trunc(n, 1)", "lossy", None),
    ("ABS(N)", "abs(n)", "lossy", None),
    ("MOD(N, 7)", "mod(n, 7)", "lossy", None),
    ("5", "CAST(5 AS numeric)", "constant", None),
]


@pytest.mark.parametrize(("expression", "sql", "kind", "inverse"), TRANSLATED)
def test_arithmetic_is_exact(tmp_path: Path, expression: str, sql: str, kind: str, inverse: str | None) -> None:
    (_, column) = built(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, WIDE).columns
    assert (column.expression, column.kind, column.inverse) == (sql, kind, inverse)
    assert "double" not in column.expression.lower()


@pytest.mark.parametrize(
    ("expression", "problem", "dialect"),
    [
        ("N / 3", "a division by 3 has no exact result", "oracle"),
        ("N / M", "division by a column", "oracle"),
        ("R * 2", "arithmetic on a value of type double precision", "oracle"),
        ("C + 1", "arithmetic on a value of type text", "oracle"),
        ("1 + 2", "the arithmetic has no column", "oracle"),
        ("MOD(N, M)", "MOD needs a constant", "oracle"),
    ],
)
def test_what_would_round_is_refused(tmp_path: Path, expression: str, problem: str, dialect: str) -> None:
    (found,) = refused(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s", SOURCE, WIDE, dialect)
    assert problem in found.problem
    assert found.remedy
