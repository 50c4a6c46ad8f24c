from config.comparing import Compare
from shadow.compare import judge
from shadow.keeper import Kept
from shadow.rejudging import rejudge
from shadow.report import terminal_rejudged
from shadow.rules import NO_RULES, Rules
from shadow.snapshot import Reading, read_snapshot, snapshot
from tests.support.answers import REDACTOR, pair
from tests.support.screen import printed

ROUTE = "GET /accounts/{no}"


def kept(control: object, candidate: object) -> Kept:
    one = pair(control, candidate)
    verdict = judge(one.control, one.candidate, NO_RULES, None, REDACTOR)
    data = snapshot(one, verdict, Reading(NO_RULES), REDACTOR)
    assert data is not None
    return Kept(ROUTE, verdict.kind, read_snapshot(data))


def test_what_each_verdict_would_be_and_what_would_still_differ() -> None:
    pairs = [kept({"a": 1}, {"a": 2}), kept({"b": 1}, {"b": 2}), kept({"a": 1}, {"a": 1}), None]
    rules = {ROUTE: Rules.of(Compare.model_validate({"ignore": ["$.a"]}))}
    again = rejudge(pairs, {(ROUTE, "different"): 70}, rules, REDACTOR)
    different = again.groups[ROUTE, "different"]
    assert different.stands_for == 70
    assert different.after == {"equivalent": 1, "different": 1}
    assert again.differences == {(ROUTE, "$.b", "value"): 1}
    assert again.unreadable == 1
    assert again.differs
    text = printed(terminal_rejudged(again))
    assert "still differs: $.b" in text
    assert "cannot be opened" in text


def test_nothing_stored_is_said() -> None:
    assert "No pair is stored" in printed(terminal_rejudged(rejudge([], {}, {}, REDACTOR)))
