"""strangler.residue stands below its column, with the same expression, and becomes a way back over both columns."""

from pathlib import Path

import pytest

from tests.support.mapping_files import built, refused, table

SOURCE = table("s", "id integer, c text?, d text?")
TARGET = table("t", "id integer, v text?, v_residue text?")


def test_a_lossy_column_with_a_residue_has_an_inverse_and_is_called_lossy_all_the_same(tmp_path: Path) -> None:
    select = "SELECT ID AS id, UPPER(C) AS v, strangler.residue(C, UPPER(C)) AS v_residue FROM s"
    mapping = built(tmp_path, select, table("s", "id integer, c text?"), TARGET, "postgres")
    (_, value, residue) = mapping.columns
    assert (value.kind, residue.kind) == ("lossy", "lossless")
    assert value.inverse == residue.inverse
    assert value.reason == "upper and lower case become the same; v_residue keeps it"
    (_, back) = mapping.reverse().columns
    assert set(back.sources) == {"v", "v_residue"}
    assert residue.stands.endswith("IS NOT DISTINCT FROM v THEN v_residue END")


def test_a_value_that_the_column_tells_by_itself_is_not_kept_twice(tmp_path: Path) -> None:
    select = "SELECT ID AS id, TRIM(C) AS v, strangler.residue(C, TRIM(C)) AS v_residue FROM s"
    source = table("s", "id integer, c text")
    (_, _, residue) = built(tmp_path, select, source, TARGET, "postgres").columns
    assert residue.expression == ("CASE WHEN CAST(btrim(CAST(c AS text)) AS text) IS DISTINCT FROM c THEN c END")


@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        (
            "UPPER(C) AS v, strangler.residue(C, LOWER(C)) AS v_residue",
            "no column before it is given by LOWER(C) alone",
        ),
        (
            "strangler.residue(C, UPPER(C)) AS v_residue, UPPER(C) AS v",
            "no column before it is given by UPPER(C) alone",
        ),
        (
            "CONCAT(C, D) AS v, strangler.residue(C, CONCAT(C, D)) AS v_residue",
            "no column before it is given by CONCAT(C, D) alone",
        ),
        ("UPPER(C) AS v, strangler.residue(C) AS v_residue", "strangler.residue takes a column and the expression"),
        ("UPPER(C) AS v, strangler.residue('x', UPPER(C)) AS v_residue", "strangler.residue takes a column and the"),
        ("UPPER(C) AS v, strangler.residue(C, UPPER(C)) AS missing", "there is no column missing in t yet"),
    ],
)
def test_a_residue_in_another_place_is_refused_with_the_reason(tmp_path: Path, outputs: str, problem: str) -> None:
    found = refused(tmp_path, f"SELECT ID AS id, {outputs} FROM s", SOURCE, TARGET, "mysql")
    assert any(problem in one.problem for one in found), [str(one) for one in found]
