import pytest

from shadow.found import DIFFERENCES_MAX, NOTHING
from shadow.rules import NO_RULES, Rules
from shadow.walk import TooDeep, walk


def kinds(control: object, candidate: object, rules: Rules = NO_RULES) -> list[tuple[tuple[str | int, ...], str]]:
    return [(found.path, found.kind) for found in walk(control, candidate, rules).found]


def test_each_kind_at_its_place() -> None:
    assert kinds({"a": 1}, {}) == [(("a",), "missing")]
    assert kinds({}, {"a": 1}) == [(("a",), "extra")]
    assert kinds({"a": 1}, {"a": "1"}) == [(("a",), "type")]
    assert kinds({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == [(("a", 1, "b"), "value")]
    assert kinds([1, 2, 3], [3, 1, 2]) == [((), "order")]
    assert kinds([1, 2], [1]) == [((), "length")]
    assert kinds({"a": []}, {"a": {}}) == [(("a",), "type")]


def test_the_absent_side_is_nothing_and_not_null() -> None:
    assert walk({"a": None}, {}, NO_RULES).found[0].candidate is NOTHING
    assert kinds({"a": None}, {}) == [(("a",), "missing")]


def test_one_member_more_at_the_front_does_not_make_all_others_different() -> None:
    members = [{"id": number, "amount": number} for number in range(10)]
    assert kinds([{"id": 99}, *members], members) == [((), "length")]
    changed = [{"id": 0, "amount": 7}, *members[1:]]
    assert kinds([{"id": 99, "amount": 1}, *changed], members) == [
        ((), "length"),
        ((0, "id"), "value"),
        ((0, "amount"), "value"),
    ]


def test_two_members_that_changed_places_are_an_order_and_not_two_values() -> None:
    assert kinds([{"a": 1}, {"a": 2}, {"a": 3}], [{"a": 3}, {"a": 2}, {"a": 1}]) == [((), "order")]
    assert kinds([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 7}]) == [((0, "a"), "value"), ((1, "a"), "value")]


def test_true_is_not_one_wherever_it_stands() -> None:
    assert kinds([{"deep": {"a": True}}], [{"deep": {"a": 1}}]) == [((0, "deep", "a"), "type")]


def test_a_quick_walk_finds_what_a_full_one_does() -> None:
    control, candidate = {"x": {"same": 1}, "y": {"a": 1, "b": 2}}, {"x": {"same": 1}, "y": {"b": 2, "a": 9}}
    quick = walk(control, candidate, NO_RULES, has_truth_values=False)
    assert [found.path for found in quick.found] == [("y", "a")]
    equal = walk({"y": {"a": 1, "b": 2}}, {"y": {"b": 2, "a": 1}}, NO_RULES, has_truth_values=False)
    assert not equal.found
    assert equal.notes == {"key_order"}


def test_what_is_ignored_is_noted_and_the_rest_is_found() -> None:
    result = walk({"at": 1, "b": 2}, {"at": 2, "b": 3}, Rules(["$.at"]))
    assert [found.path for found in result.found] == [("b",)]
    assert result.notes == {"ignored"}


def test_a_protected_field_does_not_vanish_with_an_ignored_branch() -> None:
    rules = Rules(["$.account"], ["$..balance"])
    assert kinds({"account": {"balance": 1, "name": "x"}}, {}, rules) == [(("account",), "missing")]
    assert kinds({"account": {"name": "x"}}, {}, rules) == []


def test_the_number_of_differences_is_bounded() -> None:
    assert len(kinds(list(range(1000)), list(range(5000, 6000)))) == DIFFERENCES_MAX


def test_what_is_ignored_does_not_use_the_bound_up() -> None:
    control = {"items": [{"at": number} for number in range(1000)], "last": 1}
    candidate = {"items": [{"at": -number - 1} for number in range(1000)], "last": 2}
    assert kinds(control, candidate, Rules(["$..at"])) == [(("last",), "value")]


@pytest.mark.parametrize("has_truth_values", [True, False])
def test_too_deep_is_said_and_not_suffered(has_truth_values: bool) -> None:
    ours: object = 1
    theirs: object = 2
    for _ in range(200):
        ours, theirs = [ours], [theirs]
    with pytest.raises(TooDeep):
        walk(ours, theirs, NO_RULES, has_truth_values=has_truth_values)


@pytest.mark.parametrize(
    ("control", "candidate", "is_one_instant"),
    [
        ("2026-11-02T10:00:00Z", "2026-11-02T11:00:00+01:00", True),
        ("2026-11-02 10:00:00.5Z", "2026-11-02T10:00:00.500000+00:00", True),
        ("2026-11-02T10:00:00Z", "2026-11-02T10:00:00+01:00", False),
        ("2026-11-02T10:00:00", "2026-11-02T10:00:00Z", False),
        ("2026-11-02T10:00:00.1234567Z", "2026-11-02T10:00:00.1234568Z", False),
        ("2026-13-02T10:00:00Z", "2026-13-02T10:00:00+00:00", False),
    ],
)
def test_forms_of_one_instant_are_equivalent(control: str, candidate: str, is_one_instant: bool) -> None:
    result = walk(control, candidate, NO_RULES)
    assert (not result.found) is is_one_instant
    assert ("time_zone" in result.notes) is is_one_instant
