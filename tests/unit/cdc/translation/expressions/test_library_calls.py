"""A call of the library is typed, checked and undone by the function that writes."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, a character(6), b text?, p bytea")

CASES = [
    ("packed(P, 5, 2)", "numeric(5,2)", "guarded", "strangler.to_packed(v, 5, 2)"),
    ("zoned(B, 5, 2)", "numeric(5,2)", "guarded", "strangler.to_zoned(v, 5, 2)"),
    ("short_date(A, 'YYMMDD', 70)", "date", "guarded", "to_char(CAST(v AS timestamp), 'YYMMDD')"),
    ("date_or_null(B, 'YYYYMMDD')", "date", "guarded", "to_char(CAST(v AS timestamp), 'YYYYMMDD')"),
    ("blank_to_null(B)", "text", "guarded", "v"),
    ("flag(B, 'J', 'N')", "boolean", "guarded", "CASE v WHEN true THEN 'J' WHEN false THEN 'N' END"),
]


@pytest.mark.parametrize(("call", "kind", "law", "inverse"), CASES)
def test_a_call_is_undone(tmp_path: Path, call: str, kind: str, law: str, inverse: str) -> None:
    target = table("t", f"id integer, v {kind}?")
    (_, column) = built(tmp_path, f"SELECT ID AS id, strangler.{call} AS v FROM s", SOURCE, target).columns
    assert (column.kind, column.inverse) == (law, inverse)
    assert column.guard


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("strangler.unheard_of(A)", "is not a function of the library"),
        ("other.packed(P, 5, 2)", "is not a function of the library"),
        ("strangler.packed(B, 5, 2)", "is given a value of type text"),
        ("strangler.packed(P, 5)", "takes one column and 2 constants"),
        ("strangler.packed(P, 50, 2)", "not a whole number from 0 to 38"),
        ("strangler.flag(B, 'J', 'J')", "both codes of the flag are the same"),
        ("strangler.short_date(A, 'YYYYMM', 70)", "short_date takes YYMMDD"),
    ],
)
def test_a_call_that_cannot_be_right_is_refused(tmp_path: Path, call: str, problem: str) -> None:
    target = table("t", "id integer, v text?")
    (found,) = refused(tmp_path, f"SELECT ID AS id, {call} AS v FROM s", SOURCE, target)
    assert problem in found.problem
    assert found.remedy
