from typing import Any

import pytest
from pydantic import ValidationError

from config.comparing import Compare

REASON = "legacy rounds half down"


def problems(**section: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Compare.model_validate(section)
    return str(caught.value)


def test_what_is_ignored_may_be_a_path_or_say_why() -> None:
    compare = Compare.model_validate(
        {"ignore": ["$.a", {"path": "header:ETag", "reason": REASON, "until": "2030-01-01"}]}
    )
    assert [one.path for one in compare.ignore] == ["$.a", "header:etag"]


def test_a_tolerance_is_an_amount_a_share_or_minor_units() -> None:
    def tolerance(value: Any) -> Any:
        rule = {"path": "$.a", "reason": REASON, "tolerance": value}
        return Compare.model_validate({"rules": [rule]}).rules[0].tolerance

    assert str(tolerance(0.01).absolute) == "0.01"
    assert tolerance("0.1%").relative == 0.001
    assert tolerance({"minor_units": 1}).decimals == 2


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"path": "a", "trim": True}, "begins with $"),
        ({"path": "$.a["}, "character 4"),
        ({"path": "$.a"}, "treats nothing"),
        ({"path": "$.a", "key": "id", "order": "any"}, "exclude each other"),
        ({"path": "$.a", "tolerance": "some"}, "a tolerance is an amount"),
        ({"path": "$.a", "tolerance": {}}, "expected one of absolute"),
        ({"path": "$.a", "time": "Mars/Base"}, "Europe/Berlin"),
        ({"path": "$.a", "date": "never"}, "not a form of a date"),
        ({"path": "$.a", "codes": {}}, "at least 1"),
        ({"path": "$.a", "trim": True, "until": "soon"}, "date"),
        ({"path": "$.a", "trim": True, "id": "transfer"}, "by its partner alone"),
        ({"path": "$.a", "id": "no name"}, "pattern"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(rule: dict[str, Any], said: str) -> None:
    assert said in problems(rules=[{"reason": REASON, **rule}])


def test_a_rule_says_why_and_a_declared_difference_who_answers_for_it() -> None:
    assert "reason" in problems(rules=[{"path": "$.a", "trim": True}])
    missing = problems(declared=[{"name": "x", "path": "$.a"}])
    assert all(word in missing for word in ("reason", "owner", "until", "test"))


def test_a_status_is_never_ignored_but_may_be_declared() -> None:
    assert "never ignored" in problems(ignore=["status"])
    declared = {"name": "gone", "path": "status", "control": "404", "candidate": "410", "reason": REASON, "owner": "we"}
    assert Compare.model_validate({"declared": [{**declared, "until": "2030-01-01", "test": "tests"}]}).declared


def test_names_of_headers_and_expressions_are_looked_at() -> None:
    assert "name of a header" in problems(headers=["a b"])
    assert "regular expression" in problems(lines={"ignore": ["("]})
