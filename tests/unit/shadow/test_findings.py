from dataclasses import replace
from datetime import date

from config.comparing import Compare
from shadow.accounting import Accounting
from shadow.findings import findings_of
from shadow.summary import RouteSummary

TODAY = date(2026, 11, 25)
ROUTE = RouteSummary("r", Accounting(200, verdicts={"equal": 150, "equivalent": 50}), reached={"": 200})


def said(compare: dict[str, object], route: RouteSummary = ROUTE) -> list[tuple[str, str]]:
    return [(one.rule, one.text) for one in findings_of(route, Compare.model_validate(compare), TODAY)]


def test_a_rule_that_hides_too_much_is_told() -> None:
    route = replace(ROUTE, rules={"ignore $.a": 50, "declared x": 60}, reached={"": 200, "ignore $.a": 1})
    [(rule, text)] = said({"ignore": ["$.a"]}, route)
    assert rule == "ignore $.a"
    assert "25 %" in text
    assert said({"ignore": ["$.a"], "hides_max": "30%"}, route) == []


def test_an_id_that_has_its_partner_in_every_pair_hides_nothing() -> None:
    route = replace(ROUTE, rules={"id $.id": 200}, reached={"": 200, "id $.id": 200})
    assert said({"rules": [{"path": "$.id", "id": "transfer", "reason": "each its own"}]}, route) == []


def test_a_rule_that_names_nothing_is_told_once_enough_was_seen() -> None:
    assert [rule for rule, _ in said({"ignore": ["$.gone"]})] == ["ignore $.gone"]
    assert said({"ignore": ["$.gone"]}, replace(ROUTE, reached={"": 50})) == []
    assert said({"ignore": ["$.a"]}, replace(ROUTE, reached={"": 200, "ignore $.a": 3})) == []


def test_a_rule_whose_last_day_is_over_is_told() -> None:
    [(rule, text)] = said({"ignore": [{"path": "$.a", "until": "2026-11-24"}]})
    assert rule == "ignore $.a"
    assert "2026-11-24" in text
    assert said({"ignore": [{"path": "$.a", "until": "2026-11-25"}]}, replace(ROUTE, reached={"": 9})) == []


def test_a_rule_below_a_protected_path_can_hide_nothing() -> None:
    seen = replace(ROUTE, reached={"": 9})
    assert [rule for rule, _ in said({"ignore": ["$.items[*].amt"], "protect": ["$.items"]}, seen)] == [
        "ignore $.items[*].amt"
    ]
    assert said({"ignore": ["$.items"], "protect": ["$.items[*].amt"]}, seen) == []
