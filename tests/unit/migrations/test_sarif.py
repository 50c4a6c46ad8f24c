from pathlib import Path

from migrations.lint import Finding, LintReport, Suppression
from migrations.sarif import sarif


def test_a_finding_is_a_result_and_a_suppression_carries_its_reason() -> None:
    finding = Finding("r", Path("a/0001_x.py"), 3, "truncate", "rows go", "do not")
    report = LintReport((finding,), (Suppression(finding, "an empty table of the import"),))
    (run,) = sarif(report)["runs"]  # type: ignore[misc, has-type]
    open_one, allowed = run["results"]
    assert open_one["ruleId"] == "truncate"
    assert open_one["level"] == "error"
    assert open_one["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "0001_x.py"},
        "region": {"startLine": 3},
    }
    assert "suppressions" not in open_one
    assert allowed["suppressions"][0]["justification"] == "an empty table of the import"
