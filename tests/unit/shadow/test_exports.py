import csv
import io
from xml.etree import ElementTree

import pytest

from config.model import Gates
from shadow.exports import as_csv, junit
from shadow.findings import RuleFinding
from shadow.gate import CONDITIONS, evidence_of, judge
from tests.support.comparisons import HOSTILE, summary_with


@pytest.mark.parametrize("name", ["$.balance", HOSTILE, "=1+1"])
def test_junit_has_a_case_for_each_condition_and_fails_where_the_gate_does(name: str) -> None:
    summary = summary_with(name)
    verdict = judge(evidence_of(summary), Gates())
    suite = ElementTree.fromstring(junit(summary, verdict, (RuleFinding("GET /good", name, "hides much"),)))[0]
    assert len(suite) == len(CONDITIONS) * 3 + 1
    failures = [case for case in suite if case.find("failure") is not None]
    assert int(suite.attrib["failures"]) == len(failures) > 1
    assert {reason.condition for reason in verdict.reasons} <= {case.attrib["name"] for case in failures}


def test_csv_accounts_for_every_request_and_no_cell_is_a_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(summary_with("=cmd|x")))))
    bad = [row for row in rows if row["route"].startswith("GET /=")]
    eligible = sum(int(row["count"]) for row in bad if row["what"] == "eligible")
    parts = sum(int(row["count"]) for row in bad if row["what"] in ("compared", "skipped", "dropped", "errored"))
    assert eligible == parts == 110
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
