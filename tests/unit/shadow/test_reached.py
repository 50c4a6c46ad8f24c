from config.comparing import Compare
from shadow.reached import ANSWERS_MAX, Watch
from shadow.rules import NO_RULES, Rules
from tests.support.answers import answer, pair

RULES = Rules.of(Compare.model_validate({"ignore": ["$.a", "$.items[*].b", "$.nowhere"]}))


def test_rules_that_name_something_are_told_once_and_then_no_longer_looked_for() -> None:
    watch = Watch(RULES, None)
    assert watch.look(pair({"a": 1}, {"items": [{"b": 1}]})) == ("ignore $.a", "ignore $.items[*].b")
    assert watch.look(pair({"a": 1}, {})) == ()


def test_the_looking_ends(monkeypatch: object) -> None:
    watch = Watch(RULES, None)
    looks = [watch.look(pair({}, {})) for _ in range(ANSWERS_MAX + 1)]
    assert looks[-2:] == [(), None]
    assert Watch(NO_RULES, None).look(pair({}, {})) is None


def test_what_cannot_be_read_is_passed_over() -> None:
    assert Watch(RULES, None).look(pair(answer(b"{"), {"a": 1})) == ("ignore $.a",)
