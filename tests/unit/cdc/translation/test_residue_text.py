"""The author's file keeps its words and its comments; each lossy column gets one output more, which is understood."""

from pathlib import Path

import pytest

from cdc.mapping import Mapping
from cdc.translation.build import build, drafted
from cdc.translation.draft import Draft
from cdc.translation.refusals import Refusal
from cdc.translation.residue_text import Residue, residues_of, with_residues
from tests.support.mapping_files import catalogue, table, written

SOURCE = table("s", "id integer, c text?, d character(9)")
TARGET = table("t", "id integer, v text?, w text?")
WIDER = table("t", "id integer, v text?, w text?, v_residue text?, w_residue character(9)?")


def draft_of(file: Path) -> Draft:
    draft = drafted(file, catalogue(SOURCE), catalogue(TARGET))
    assert isinstance(draft, Draft), [str(problem) for problem in draft]
    return draft


@pytest.mark.parametrize(
    ("dialect", "select", "expected"),
    [
        (
            "oracle",
            "SELECT ID AS id, -- the key\n  UPPER(TRIM(C)) /* why */ AS v,\n  CASE WHEN D = 'A' THEN 'a' ELSE 'b' END w -- end\nFROM s",
            "SELECT ID AS id, -- the key\n  UPPER(TRIM(C)) /* why */ AS v,\n  CASE WHEN D = 'A' THEN 'a' ELSE 'b' END w, -- end\n"
            "       strangler.residue(C, UPPER(TRIM(C))) AS v_residue,\n"
            "       strangler.residue(D, CASE WHEN D = 'A' THEN 'a' ELSE 'b' END) AS w_residue\nFROM s",
        ),
        (
            "tsql",
            "SELECT [ID] AS id, UPPER([C]) AS v, LEFT(D, 2) AS w FROM s",
            "SELECT [ID] AS id, UPPER([C]) AS v, LEFT(D, 2) AS w,\n"
            "       strangler.residue(c, UPPER([C])) AS v_residue,\n"
            "       strangler.residue(d, LEFT(D, 2)) AS w_residue FROM s",
        ),
        (
            "mysql",
            "SELECT `ID` AS id, LOWER(`c`) v, LPAD(d, 12, '0') AS w FROM s",
            "SELECT `ID` AS id, LOWER(`c`) v, LPAD(d, 12, '0') AS w,\n"
            "       strangler.residue(c, LOWER(`c`)) AS v_residue,\n"
            "       strangler.residue(d, LPAD(d, 12, '0')) AS w_residue FROM s",
        ),
    ],
)
def test_the_changed_file_is_a_mapping_with_a_way_back(
    tmp_path: Path, dialect: str, select: str, expected: str
) -> None:
    file = written(tmp_path, select, dialect)
    draft = draft_of(file)
    residues = residues_of(draft)
    text = with_residues(file.read_text(), draft, residues)
    assert text.endswith(expected + "\n")
    file.write_text(text)
    mapping = build(file, catalogue(SOURCE), catalogue(WIDER))
    assert isinstance(mapping, Mapping), [str(problem) for problem in mapping]
    assert mapping.reverse().target_table == "s"
    again = drafted(file, catalogue(SOURCE), catalogue(WIDER))
    assert isinstance(again, Draft)
    assert residues_of(again) == ()


def test_what_comes_back_by_another_column_needs_no_residue(tmp_path: Path) -> None:
    draft = draft_of(written(tmp_path, "SELECT ID AS id, C AS v, UPPER(C) AS w FROM s"))
    assert residues_of(draft) == ()
    reverse = "SELECT ID AS id, C AS v, UPPER(D) AS w FROM s\n-- reverse:\nSELECT w AS d FROM t"
    assert residues_of(draft_of(written(tmp_path, reverse))) == ()


def test_a_residue_names_the_column_it_is_for_and_has_the_type_of_its_source(tmp_path: Path) -> None:
    draft = draft_of(written(tmp_path, "SELECT ID AS id, C AS v, UPPER(D) AS w FROM s"))
    reason = "upper and lower case become the same"
    assert residues_of(draft) == (Residue("t", "w", "w_residue", "character(9)", "s.d", reason),)


def test_a_name_that_would_be_cut_is_refused(tmp_path: Path) -> None:
    name = "v" * 60
    target = table("t", f"id integer, {name} text?")
    file = written(tmp_path, f"SELECT ID AS id, UPPER(C) AS {name} FROM s")
    draft = drafted(file, catalogue(SOURCE), catalogue(target))
    assert isinstance(draft, Draft)
    with pytest.raises(Refusal, match="too long for a column's name"):
        residues_of(draft)
