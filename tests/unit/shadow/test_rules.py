import pytest

from config.model import Compare
from shadow.rules import Path, RuleInvalid, Rules, covers, parse_pattern


@pytest.mark.parametrize(
    ("pattern", "path", "is_covered"),
    [
        ("$", ("a",), True),
        ("$.a", ("a",), True),
        ("$.a", ("a", "b", 3), True),
        ("$.a.b", ("a",), False),
        ("$.a", ("b", "a"), False),
        ("$.items[*].amount", ("items", 7, "amount"), True),
        ("$.items[*].amount", ("items", 7, "currency"), False),
        ("$.items[1]", ("items", 1, "x"), True),
        ("$.items[1]", ("items", 2, "x"), False),
        ("$.items[1]", ("items", "1"), False),
        ("$.*.b", ("anything", "b"), True),
        ("$..name", ("name",), True),
        ("$..name", ("a", 0, "b", "name", "first"), True),
        ("$..name", ("a", "names"), False),
        ("$.a..b.c", ("a", "x", "b", "b", "c"), True),
        ("$['odd name'].x", ("odd name", "x"), True),
    ],
)
def test_a_pattern_covers_what_it_names_and_all_below(pattern: str, path: Path, is_covered: bool) -> None:
    assert covers(parse_pattern(pattern), path) is is_covered


@pytest.mark.parametrize("pattern", ["", "a.b", "$.", "$a", "$[", "$[x]", "$.a..", "$['a", "$" + ".a" * 65])
def test_what_is_no_pattern_is_refused_with_its_place(pattern: str) -> None:
    with pytest.raises(RuleInvalid) as caught:
        parse_pattern(pattern)
    assert repr(pattern) in str(caught.value)


def test_protect_overrules_ignore_also_from_the_memory() -> None:
    rules = Rules.of(Compare(ignore=("$.account",), protect=("$..balance",)))
    for _ in range(2):
        assert rules.may_ignore(("account", "name"))
        assert not rules.may_ignore(("account", "balance"))
        assert not rules.may_ignore(("customer",))


def test_rules_that_name_an_index_do_not_mix_indexes_up() -> None:
    rules = Rules(["$.items[0]"])
    assert rules.may_ignore(("items", 0))
    assert not rules.may_ignore(("items", 1))


def test_the_memory_of_answers_is_bounded() -> None:
    rules = Rules(["$.a"])
    for number in range(5000):
        rules.may_ignore((f"name{number}",))
    assert rules._answer.cache_info().currsize <= 4096
