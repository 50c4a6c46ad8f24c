import json

import msgspec
import pytest

from shadow.accounting import problems
from shadow.summary import Summary, summary_from_json, summary_json
from tests.support.comparisons import HOSTILE, summary_with


@pytest.mark.parametrize("summary", [Summary("accounts"), summary_with(), summary_with(HOSTILE)])
def test_a_summary_survives_json(summary: Summary) -> None:
    assert summary_from_json(json.loads(json.dumps(summary_json(summary)))) == summary


def test_something_else_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        summary_from_json({"capability": 1})


def test_the_capabilitys_accounting_is_the_sum_of_its_routes() -> None:
    summary = summary_with()
    assert summary.accounting.eligible == 160
    assert problems(summary.accounting) == ()
