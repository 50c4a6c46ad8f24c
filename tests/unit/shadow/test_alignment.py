from hypothesis import given
from hypothesis import strategies as st

from config.comparing import Compare
from shadow.alignment import Alignment, Side, align, as_sets, by_key
from shadow.rules import Rules

KEYS = st.lists(st.integers(0, 5), max_size=12)


def test_members_find_each_other_by_key_wherever_they_stand() -> None:
    assert by_key([1, 2, 3], [3, 1, 4]) == Alignment(((0, 1), (2, 0)), (1,), (2,), is_reordered=True)
    assert by_key([1, 1], [1, 1]) == Alignment(((0, 0), (1, 1)), (), (), is_reordered=False)


def test_equal_members_of_sets_need_no_look_and_the_rest_is_paired() -> None:
    assert as_sets([1, 2, 3], [2, 9]) == Alignment(((0, 1),), (2,), (), is_reordered=False)


@given(KEYS, KEYS)
def test_every_member_is_in_one_place(control: list[int], candidate: list[int]) -> None:
    for found in (by_key(control, candidate), as_sets(control, candidate, shows_partners=True)):
        assert sorted([*(pair[0] for pair in found.pairs), *found.missing]) == list(range(len(control)))
        assert sorted([*(pair[1] for pair in found.pairs), *found.extra]) == list(range(len(candidate)))


def test_what_is_ignored_in_a_member_does_not_keep_it_from_its_partner() -> None:
    compare = {
        "ignore": ["$.a[*].at"],
        "rules": [
            {"path": "$.a", "order": "any", "reason": "a set"},
            {"path": "$.a[*].n", "case": "any", "reason": "names"},
        ],
    }
    rules = Rules.of(Compare.model_validate(compare))
    listing = rules.here(("a",)).listing
    assert listing is not None
    ours = Side([{"n": "x", "at": 1}, {"n": "y", "at": 2}], ("a",), rules, is_legacy=True)
    theirs = Side([{"n": "Y", "at": 3}, {"n": "X", "at": 4}], ("a",), rules, is_legacy=False)
    assert align(ours, theirs, listing) == Alignment((), (), (), is_reordered=True)


def test_true_and_one_are_two_keys_and_a_member_without_a_key_is_alone() -> None:
    rules = Rules.of(Compare.model_validate({"rules": [{"path": "$", "key": "k", "reason": "by k"}]}))
    listing = rules.here(()).listing
    assert listing is not None
    found = align(Side([{"k": 1}, 5], (), rules, True), Side([{"k": True}, {}], (), rules, False), listing)
    assert found.pairs == ()
