"""The names of the rules are unique, and each says what to do instead."""

from migrations.rules import RULES
from tests.support.revision_corpus import BAD

OUR_OWN = {rule.name for rule in RULES}


def test_each_rule_has_a_name_of_its_own_and_a_way_out() -> None:
    assert len(OUR_OWN) == len(RULES)
    assert all(rule.danger and rule.instead for rule in RULES)


def test_nearly_every_rule_of_ours_is_broken_in_the_corpus() -> None:
    assert OUR_OWN - {sample.rule for sample in BAD} <= {"renumbered-sequence", "session-setting"}
