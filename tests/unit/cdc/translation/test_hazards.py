"""What can go wrong in an expression is named with its condition, inner expressions first, branches only where taken."""

from pathlib import Path

import pytest

from cdc.translation.build import drafted
from cdc.translation.draft import Draft
from cdc.translation.hazards import Hazard, hazards
from tests.support.mapping_files import catalogue, table, written

SOURCE = table("s", "id integer, a character(8)?, b text, n numeric(12,4), p bytea")


def of(tmp_path: Path, expression: str, kind: str) -> list[Hazard]:
    target = table("t", f"id integer, v {kind}")
    draft = drafted(
        written(tmp_path, f"SELECT ID AS id, {expression} AS v FROM s"), catalogue(SOURCE), catalogue(target)
    )
    assert isinstance(draft, Draft), draft
    return list(hazards(draft.outputs[1], draft.scope))


@pytest.mark.parametrize(
    ("expression", "kind", "what", "condition"),
    [
        ("TO_DATE(A, 'YYYYMMDD')", "date?", "no date of this format", "NOT strangler.is_date(a, 'YYYYMMDD')"),
        ("TO_NUMBER(B)", "numeric?", "no number", "NOT strangler.is_number(b)"),
        ("CAST(B AS NUMBER(5,2))", "numeric?", "no number", "NOT strangler.is_number(b)"),
        ("N", "numeric(12,2)?", "would be rounded", "NOT (n = round(n, 2))"),
        ("N", "numeric(6,4)?", "is too large for the column", "NOT (abs(n) <= 99.9999)"),
        ("B", "character varying(3)?", "is too long for the column", "NOT (length(b) <= 3)"),
        ("NULLIF(A, 'x')", "text", "NULL in a NOT NULL column", "(NULLIF(a, 'x')) IS NULL"),
        ("DECODE(B, 'x', 'y')", "text?", "matches no branch and becomes NULL", "((b = 'x')) IS NOT TRUE"),
        ("DECODE(B, 'x', 'y', 'z')", "text?", "fell through to ELSE", "((b = 'x')) IS NOT TRUE"),
        ("CASE WHEN N > 5 THEN 'y' ELSE 'z' END", "text?", "fell through to ELSE", "((n > 5)) IS NOT TRUE"),
        ("strangler.packed(P, 5, 2)", "numeric?", "no packed decimal", "NOT strangler.is_packed(p, 5)"),
        (
            "strangler.packed(P, 5, 2)",
            "numeric?",
            "p holds NUL bytes, which text cannot",
            "position('\\x00'::bytea IN p) > 0",
        ),
    ],
)
def test_a_hazard_is_named_with_its_condition(
    tmp_path: Path, expression: str, kind: str, what: str, condition: str
) -> None:
    found = {hazard.kind: hazard for hazard in of(tmp_path, expression, kind)}
    assert found[what].condition == condition
    assert found[what].remedy


def test_a_hazard_of_a_branch_counts_only_where_the_branch_is_taken(tmp_path: Path) -> None:
    found = of(tmp_path, "CASE WHEN B = 'x' THEN TO_NUMBER(A) ELSE 0 END", "numeric")
    (first, *_) = [hazard for hazard in found if hazard.kind == "no number"]
    assert first.condition == "CASE WHEN b = 'x' THEN NOT strangler.is_number(a) END"


def test_inner_expressions_are_asked_before_what_would_fail_on_them(tmp_path: Path) -> None:
    kinds = [hazard.kind for hazard in of(tmp_path, "TO_NUMBER(B)", "numeric(4,1)?")]
    assert kinds.index("no number") < kinds.index("would be rounded") < kinds.index("is too large for the column")
