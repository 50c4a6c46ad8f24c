from config.model import Gates
from shadow import wording
from shadow.gate import evidence_of, judge
from shadow.summary import Summary
from tests.support.comparisons import summary_with


def test_the_headline_is_the_answer() -> None:
    summary = summary_with()
    assert wording.headline(summary, judge(evidence_of(summary), Gates())) == "accounts must not move on"
    empty = Summary("accounts")
    assert wording.headline(empty, judge(evidence_of(empty), Gates())) == "accounts: nothing has been compared yet"


def test_the_next_step_says_how_long_to_wait() -> None:
    summary = summary_with(mismatched=0)
    verdict = judge(evidence_of(summary), Gates())
    assert wording.next_step(verdict) == (
        "Wait: 4,621 more distinct keys that all agree are needed, about 6.4 h at today's rate."
    )


def test_the_worst_route_is_first() -> None:
    assert [route.route for route in wording.worst_first(summary_with().routes)] == ["GET /$.balance", "GET /good"]


def test_control_characters_are_not_printed() -> None:
    assert wording.printable("a\x1b[2J\r\u202eb é") == "a?[2J??b é"
