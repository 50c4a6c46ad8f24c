import pytest

from shadow.found import DIFFERENCES_MAX, NOTHING, Enough, Walk, paths_below
from shadow.rules import NO_RULES, Rules


def test_a_walk_has_found_enough_at_its_bound() -> None:
    state = Walk(NO_RULES)
    for number in range(DIFFERENCES_MAX - 1):
        state.add((number,), "value", 1, 2)
    with pytest.raises(Enough):
        state.add(("last",), "value", 1, 2)
    assert len(state.found) == DIFFERENCES_MAX


def test_a_rule_that_hides_a_branch_does_not_hide_a_protected_leaf_in_it() -> None:
    state = Walk(Rules(["$.meta"], ["$.meta.balance"]))
    state.add(("meta", "served_by"), "value", 1, 2)
    assert (state.found, state.notes, state.used) == ([], {"ignored"}, {"ignore $.meta"})
    state.add(("meta",), "missing", {"balance": 1}, NOTHING)
    assert [one.kind for one in state.found] == ["missing"]


def test_paths_below_are_the_path_itself_and_all_below_it() -> None:
    assert set(paths_below(("a",), {"b": [1], "c": 2})) == {("a",), ("a", "b"), ("a", "b", 0), ("a", "c")}
