from typing import Any

import msgspec
import pytest

from config.comparing import Compare
from shadow.compare import judge
from shadow.observation import Pair
from shadow.rules import NO_RULES, Rules
from shadow.snapshot import SNAPSHOT_BYTES_MAX, Reading, judge_again, read_snapshot, snapshot
from tests.support.answers import REDACTOR, answer, pair
from tests.support.corpus import Case, corpus


def pair_of(case: Case) -> Pair:
    return pair(*case.observations())


def stored(one: Pair, rules: Rules = NO_RULES, decode: Any = None) -> bytes:
    verdict = judge(one.control, one.candidate, rules, decode, REDACTOR)
    data = snapshot(one, verdict, Reading(rules, decode), REDACTOR)
    assert data is not None
    return data


def test_a_stored_pair_gets_the_verdict_that_it_had() -> None:
    wrong = []
    for case in corpus(3, 150):
        rules = case.rules()
        before = judge(*case.observations(), rules, case.decoder(), REDACTOR)
        after = judge_again(read_snapshot(stored(pair_of(case), rules, case.decoder())), rules, REDACTOR)
        if (before.kind, [one.path for one in before.differences]) != (
            after.kind,
            [one.path for one in after.differences],
        ):
            wrong.append((case.number, case.kind, before, after))
    assert wrong == []  # amounts of many digits included


def test_other_rules_give_another_verdict() -> None:
    kept = read_snapshot(stored(pair({"a": 1, "b": 1.00}, {"a": 2, "b": 1.01})))
    assert judge_again(kept, NO_RULES, REDACTOR).kind == "different"
    rules = Rules.of(
        Compare.model_validate({"ignore": ["$.a"], "rules": [{"path": "$.b", "tolerance": 0.01, "reason": "a cent"}]})
    )
    assert judge_again(kept, rules, REDACTOR).kind == "equivalent"


def test_what_is_sensitive_is_not_in_it_and_equality_survives() -> None:
    number, address = "4111111111111111", "erika@example.org"
    one = pair(
        {"pan": int(number), "mail": address, number: 1, "x": 1},
        {"pan": int(number), "mail": address, number: 1, "x": 2},
    )
    data = stored(one)
    assert number.encode() not in data
    assert address.encode() not in data
    assert [one.path for one in judge_again(read_snapshot(data), NO_RULES, REDACTOR).differences] == ["$.x"]


def test_a_field_that_is_named_is_a_token_whatever_it_holds() -> None:
    rules = Rules.of(Compare.model_validate({"redact": ["$.name"]}))
    assert b"Mustermann" not in stored(pair({"name": "Mustermann", "a": 1}, {"name": "Mustermann", "a": 2}), rules)


def test_a_race_stays_one_and_what_could_not_be_read_still_cannot() -> None:
    one = pair({"a": 1}, {"a": 2})
    race = msgspec.structs.replace(judge(one.control, one.candidate, NO_RULES, None, REDACTOR), race=True)
    data = snapshot(one, race, Reading(NO_RULES), REDACTOR)
    assert data is not None
    assert judge_again(read_snapshot(data), NO_RULES, REDACTOR).race
    broken = read_snapshot(stored(pair(answer(b"{"), answer({"a": 1}))))
    assert judge_again(broken, NO_RULES, REDACTOR).reason == "malformed_json:control"


@pytest.mark.parametrize("number", [2**60, -(10**30)])
def test_large_numbers_come_back_exactly(number: int) -> None:
    kept = read_snapshot(stored(pair({"a": number}, {"a": number + 1})))
    assert judge_again(kept, NO_RULES, REDACTOR).kind == "different"


def test_a_pair_that_is_too_large_is_not_kept() -> None:
    one = pair({"a": "x y " * SNAPSHOT_BYTES_MAX}, {"a": 1})
    verdict = judge(one.control, one.candidate, NO_RULES, None, REDACTOR)
    assert snapshot(one, verdict, Reading(NO_RULES), REDACTOR) is None
