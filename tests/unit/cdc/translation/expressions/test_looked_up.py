"""A looked-up column can be undone where its values are unique, and its name is never taken for another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lookups import accepted, acct_with, refusal

FROM = "FROM acct a LEFT JOIN branch b ON b.BR = a.BR LEFT JOIN currency c ON c.CUR = a.CUR"


def test_a_unique_column_is_lossless_behind_a_foreign_key_and_guarded_without(tmp_path: Path) -> None:
    statement = f"SELECT a.ID AS id, a.BR AS office, a.CUR AS v, c.NM AS currency {FROM}"
    kinds = {one.name: one.kind for one in accepted(tmp_path, statement).columns}
    assert kinds["currency"] == "lossless"
    column = next(
        o for o in accepted(tmp_path, statement, acct_with(is_enforced=False)).columns if o.name == "currency"
    )
    assert column.kind == "guarded"
    assert column.guard is not None
    assert column.guard.startswith("(cur IS NULL OR (SELECT")


def test_other_columns_are_lossy_beside_the_code(tmp_path: Path) -> None:
    mapping = accepted(tmp_path, f"SELECT a.ID AS id, a.BR AS office, UPPER(b.NM) AS v {FROM}")
    column = next(one for one in mapping.columns if one.name == "v")
    assert (column.kind, column.sources, column.looked_up) == ("lossy", ("br",), ("branch.nm",))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("b.NOTHING", "there is no column NOTHING in branch"),
        ("b.NOTES", "notes of branch is not carried"),
        ("NM", "NM is a column of branch, too"),
        ("x.NM", "belongs to no table of this mapping"),
    ],
)
def test_a_column_must_be_carried_and_named(tmp_path: Path, output: str, reason: str) -> None:
    assert reason in refusal(tmp_path, f"SELECT a.ID AS id, a.BR AS office, {output} AS v {FROM}")
