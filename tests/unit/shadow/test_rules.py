from config.comparing import Compare
from shadow.rules import Rules


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
    assert rules._answer.cache_info().currsize <= 4096  # type: ignore[attr-defined]
