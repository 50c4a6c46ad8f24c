"""A mapping with a lookup is accepted only if a changed code finds its rows in the target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lookups import accepted, refusal

REFUSED = [
    ("SELECT a.ID AS id, b.NM AS v FROM acct a LEFT JOIN branch b ON b.BR = a.BR", "would not find its rows"),
    ("SELECT a.ID AS id, RTRIM(a.BR) AS v, b.NM AS currency FROM acct a LEFT JOIN branch b ON b.BR = a.BR", "gives br"),
    (
        "SELECT a.ID AS id, a.BR AS office, b.NM AS v FROM acct a LEFT JOIN branch b ON b.BR = a.BR WHERE b.NM = 'x'",
        "the WHERE reads branch.nm",
    ),
    (
        "SELECT c.PLACES AS id, a.CUR AS currency FROM acct a LEFT JOIN currency c ON c.CUR = a.CUR",
        "the key column id is looked up",
    ),
]


@pytest.mark.parametrize(("statement", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_rows_that_a_change_would_miss_are_refused(tmp_path: Path, statement: str, reason: str) -> None:
    assert reason in refusal(tmp_path, statement)


@pytest.mark.parametrize(
    ("select", "reason"),
    [
        ("SELECT BR AS code, UPPER(NM) AS name FROM branch", "is not a column as it stands"),
        ("SELECT BR AS code, NM AS name FROM branch WHERE BR <> 'X'", "a reference has no WHERE"),
    ],
)
def test_a_reference_is_carried_as_it_stands(tmp_path: Path, select: str, reason: str) -> None:
    assert reason in refusal(tmp_path, select, target="office", more="-- reference: true\n")


def test_the_line_says_true_or_false(tmp_path: Path) -> None:
    select = "SELECT BR AS code, NM AS name FROM branch"
    assert "neither true nor false" in refusal(tmp_path, select, target="office", more="-- reference: yes\n")


def test_the_code_comes_from_its_column_or_by_its_unique_name(tmp_path: Path) -> None:
    statement = (
        "SELECT a.ID AS id, a.BR AS office, b.NM AS v, c.NM AS currency FROM acct a "
        "LEFT JOIN branch b ON b.BR = a.BR JOIN currency c ON c.CUR = a.CUR"
    )
    again = {column.name: sql for column, sql in accepted(tmp_path, statement).at_target.again}
    assert again["br"] == "CAST(office AS character(3))"
    assert "FROM public.money)" in again["cur"]
    assert set(again) == {"id", "br", "cur"}
