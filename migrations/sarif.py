"""Findings of the linter as SARIF 2.1.0, which code hosts show beside the changed lines."""

from __future__ import annotations

from migrations.lint import Finding, LintReport

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning"}


def sarif(report: LintReport) -> dict[str, object]:
    """One run; a suppressed finding is a result with its justification."""
    everything = [(finding, "") for finding in report.findings]
    everything += [(one.finding, one.reason) for one in report.suppressed]
    rules = sorted({finding.rule for finding, _ in everything})
    driver = {"name": "strangler migrate lint", "rules": [{"id": rule} for rule in rules]}
    results = [_result(finding, reason) for finding, reason in everything]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(finding: Finding, reason: str) -> dict[str, object]:
    place = {
        "artifactLocation": {"uri": finding.path.name},
        "region": {"startLine": max(finding.line, 1)},
    }
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message} {finding.help}".strip()},
        "locations": [{"physicalLocation": place}],
    }
    if reason:
        result["suppressions"] = [{"kind": "inSource", "justification": reason}]
    return result
