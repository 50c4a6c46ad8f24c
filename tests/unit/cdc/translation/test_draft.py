"""A draft names its tables and outputs; a change names its row by the replica identity."""

from dataclasses import replace
from pathlib import Path

from cdc.translation.build import drafted
from cdc.translation.draft import Draft, source_key_of
from tests.support.mapping_files import catalogue, table, written


def test_outputs_are_found_by_the_name_of_their_column(tmp_path: Path) -> None:
    source, target = table("s", "id integer, a text"), table("t", "id integer, b text")
    draft = drafted(written(tmp_path, "SELECT ID AS id, A AS b FROM s"), catalogue(source), catalogue(target))
    assert isinstance(draft, Draft)
    assert (draft.source.name, draft.target.name) == ("s", "t")
    found = draft.output("b")
    assert found is not None
    assert found.term.columns == ("a",)
    assert draft.output("a") is None


def test_a_row_is_named_by_the_index_of_its_replica_identity_else_by_its_primary_key() -> None:
    plain = table("s", "id integer, code text")
    assert source_key_of(plain) == ("id",)
    assert source_key_of(replace(plain, replica_identity="index", identity_key=("code",))) == ("code",)
