"""A table is done for the very mapping that filled it, and for no other."""

from __future__ import annotations

from cdc.filling.filled import Filled, digest_of, is_done
from tests.support.small_mapping import small_mapping


def test_a_table_is_done_for_the_mapping_that_filled_it() -> None:
    digest = digest_of(small_mapping())
    assert is_done(Filled("thing", "done", digest, ()), small_mapping())
    assert not is_done(Filled("thing", "loading", digest, ()), small_mapping())
    assert not is_done(Filled("thing", "done", digest, ()), small_mapping(where="id > 7"))
    assert not is_done(None, small_mapping())
