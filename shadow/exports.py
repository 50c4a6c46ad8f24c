"""The comparison for other programs: JUnit XML for a build server, CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from shadow.findings import RuleFinding
from shadow.gate import CONDITIONS, GateVerdict, Reason
from shadow.summary import RouteSummary, Summary

COLUMNS = ("capability", "route", "what", "detail", "count")
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(summary: Summary, verdict: GateVerdict, findings: tuple[RuleFinding, ...] = ()) -> str:
    """One test case for each condition of each route, and of all routes together; what stands in the way is a failure,
    and a finding about a rule is one too."""
    cases = [_case(route, condition, verdict) for route in _places(summary) for condition in CONDITIONS]
    cases += [
        _element(one.route, f"rule {one.rule}", f'<failure type="finding" message={_attribute(one.text)}/>')
        for one in findings
    ]
    failures = sum("<failure" in case for case in cases)
    name = _attribute(f"strangler report {summary.capability}")
    body = "\n".join(cases)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites><testsuite name={name} tests="{len(cases)}" failures="{failures}">\n'
        f"{body}\n</testsuite></testsuites>\n"
    )


def _places(summary: Summary) -> list[str]:
    return ["", *(route.route for route in summary.routes)]


def _case(route: str, condition: str, verdict: GateVerdict) -> str:
    reasons = [one for one in verdict.reasons if one.condition == condition and one.route == route]
    return _element(route, condition, "".join(map(_failure, reasons)))


def _failure(reason: Reason) -> str:
    text = _NOT_XML.sub("?", reason.remedy)
    return f"<failure type={_attribute(reason.answer)} message={_attribute(reason.text)}>{escape(text)}</failure>"


def _element(route: str, name: str, inside: str) -> str:
    return f"<testcase classname={_attribute(route or 'all routes')} name={_attribute(name)}>{inside}</testcase>"


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("?", text))


def as_csv(summary: Summary) -> str:
    """One table: where every eligible request went, and every sort of difference, each with its count."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for route in summary.routes:
        for what, detail, count in _rows(route):
            writer.writerow([_cell(summary.capability), _cell(route.route), what, _cell(detail), count])
    return out.getvalue()


def _rows(route: RouteSummary) -> Iterator[tuple[str, str, int]]:
    accounting = route.accounting
    yield "eligible", "", accounting.eligible
    yield "distinct keys", "", route.keys.distinct
    yield "keys mismatched", "", route.keys.mismatched
    parts = (("compared", accounting.verdicts), ("skipped", accounting.skipped), ("dropped", accounting.dropped))
    for what, counts in (
        *parts,
        ("errored", accounting.errored),
        ("status", route.statuses),
        ("rule", route.rules),
        ("noise", route.noise),
    ):
        yield from ((what, detail, count) for detail, count in counts.items())
    for cluster in route.clusters:
        yield "difference", f"{cluster.path} {cluster.kind} {cluster.shape}", cluster.count
        if cluster.races:
            yield "race", f"{cluster.path} {cluster.kind} {cluster.shape}", cluster.races


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
