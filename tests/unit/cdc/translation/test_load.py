"""A folder of mappings is loaded as a whole: parents first, a table in one mapping only, every problem of every file."""

from dataclasses import replace
from pathlib import Path

import pytest

from cdc.catalogue import ForeignKey
from cdc.translation.load import load
from cdc.translation.refusals import MappingsRefused
from tests.support.mapping_files import catalogue, table, written

PARENT = table("parent", "id integer")
CHILD = replace(
    table("child", "id integer, parent_id integer"), foreign_keys=(ForeignKey(("parent_id",), "parent", ("id",)),)
)
SOURCE = catalogue(table("p", "id integer"), table("c", "id integer, p_id integer"))


def test_parents_come_before_the_children_that_refer_to_them(tmp_path: Path) -> None:
    written(tmp_path, "SELECT id, p_id AS parent_id FROM c", target="child")
    written(tmp_path, "SELECT id FROM p", target="parent")
    found = load(tmp_path, SOURCE, catalogue(CHILD, PARENT))
    assert [mapping.target_table for mapping in found] == ["parent", "child"]


def test_a_table_belongs_to_one_mapping(tmp_path: Path) -> None:
    written(tmp_path, "SELECT id FROM p", target="parent").rename(tmp_path / "first.sql")
    written(tmp_path, "SELECT id FROM p", target="parent")
    with pytest.raises(MappingsRefused, match=r"target parent is mapped by first\.sql, too"):
        load(tmp_path, SOURCE, catalogue(PARENT))


def test_every_problem_of_every_file_is_in_one_report(tmp_path: Path) -> None:
    written(tmp_path, "SELECT id, nothing AS parent_id FROM c", target="child")
    written(tmp_path, "SELECT id FROM nowhere", target="parent")
    with pytest.raises(MappingsRefused) as caught:
        load(tmp_path, SOURCE, catalogue(CHILD, PARENT))
    assert {problem.file.name for problem in caught.value.problems} == {"child.sql", "parent.sql"}


def test_a_folder_without_a_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingsRefused, match="there is no mapping"):
        load(tmp_path, SOURCE, catalogue(PARENT))
