"""Lints revisions, each rendered alone: squawk's rules for its phase, our own on top, suppressions with their reasons.

Alone, because in one long script a table made by an earlier revision counts as new, and what is done to it later as
harmless. A revision suppresses a rule by a reason, in its own file, and the report lists it:

    LINT_ALLOWS = {"unbatched-write": "three rows of settings, written before the service starts"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script

from migrations.environment import BRANCHES, configuration, render, revisions
from migrations.rules import NOT_VALID_IS_WRONG, RULES, Revision
from migrations.sql_text import SqlStatement, sql_statements
from migrations.squawk import Complaint, squawk

REASON_LETTERS_MIN = 15

# Rules of squawk that do not apply to us at all, with the reason.
EXCLUDED = {
    "require-lock-timeout": "migrations/upgrade.py sets lock_timeout on the connection, for every revision",
    "require-statement-timeout": "migrations/upgrade.py sets statement_timeout on the connection, for every revision",
    "prefer-robust-stmts": "every revision is one transaction: it is applied as a whole or not at all",
    "prefer-text-field": "widths are the monolith's: what is written here must fit there on the way back",
    "ban-char-field": "keys and codes have the monolith's type, so that both sides compare and sort them alike",
}
# Rules that squawk leaves off and that the streams depend on while legacy and modern both run.
INCLUDED = {
    "expand": ("require-table-schema", "ban-new-write-restriction", "ban-replica-identity", "ban-disable-trigger"),
    "contract": ("require-table-schema",),
}
_REMOVES = "removing is what contract revisions are for, after the capability is retired"
# Rules whose very subject is the contract branch: it removes what nobody uses any more.
CONTRACT_ALLOWS = dict.fromkeys(
    ("ban-drop-column", "ban-drop-table", "ban-drop-view", "ban-drop-function", "ban-drop-type", "ban-drop-sequence"),
    _REMOVES,
) | dict.fromkeys(("ban-drop-constraint", "ban-drop-default", "ban-drop-not-null", "ban-drop-trigger"), _REMOVES)
# What squawk finds and nobody must stop for.
_STYLE = "prefer-bigint-over-int prefer-bigint-over-smallint prefer-identity prefer-timestamp-tz"
STYLE = frozenset(_STYLE.split())


@dataclass(frozen=True)
class Finding:
    """One statement that a rule objects to; `line` counts from 1 in the rendered SQL of the revision."""

    revision: str
    path: Path
    line: int
    rule: str
    message: str
    help: str
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.path.name}: {self.rule} (line {self.line} of its SQL): {self.message} {self.help}".strip()


@dataclass(frozen=True)
class Suppression:
    """A finding that its revision allows, with the reason."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class LintReport:
    """What was found, and what was found and is allowed."""

    findings: tuple[Finding, ...]
    suppressed: tuple[Suppression, ...]

    @property
    def has_errors(self) -> bool:
        """Whether a finding is more than style."""
        return any(finding.severity == "error" for finding in self.findings)


def lint(service: str = "ledger", pg_version: str = "18") -> LintReport:
    """Look at every revision of a service. Raises UnknownService, LinterMissing, LinterFailed."""
    findings: list[Finding] = []
    suppressed: list[Suppression] = []
    for branch in BRANCHES:
        for script in revisions(configuration(service), branch):
            more, allowed = _of_script(service, script, branch, pg_version)
            findings += more
            suppressed += allowed
    return LintReport(tuple(findings), tuple(suppressed))


def _of_script(service: str, script: Script, branch: str, pg: str) -> tuple[list[Finding], list[Suppression]]:
    path, name = Path(script.path), script.revision
    try:
        rendered = render(service, script)
    except Exception as error:  # noqa: BLE001 - whatever a revision raises when it finds no database
        text = f"it cannot be rendered without a database ({type(error).__name__})"
        help_ = "A revision reads no data: rows move in the stream."
        return [Finding(name, path, 0, "needs-a-database", text, help_)], []
    found = list(look_at(rendered, name, path, branch, pg))
    return _sorted_out(found, getattr(script.module, "LINT_ALLOWS", {}), name, path)


def _sorted_out(
    found: list[Finding], allows: Mapping[str, str], name: str, path: Path
) -> tuple[list[Finding], list[Suppression]]:
    """Findings that stay, and those that the revision allows with a reason."""
    findings, suppressed = [], []
    for finding in found:
        reason = allows.get(finding.rule, "")
        if len(reason.strip()) >= REASON_LETTERS_MIN:
            suppressed.append(Suppression(finding, reason))
        else:
            findings.append(finding)
    for rule, reason in allows.items():
        if len(reason.strip()) < REASON_LETTERS_MIN:
            text = f"{rule} is suppressed without a reason"
            findings.append(Finding(name, path, 0, "suppression-without-a-reason", text, "Say why, in a sentence."))
        elif not any(one.finding.rule == rule for one in suppressed):
            text = f"{rule} is suppressed and is not found"
            findings.append(Finding(name, path, 0, "suppression-of-nothing", text, "Remove it.", "warning"))
    return findings, suppressed


def look_at(rendered: str, revision: str, path: Path, branch: str, pg: str = "18") -> Iterator[Finding]:
    """Both linters on the SQL of one revision, in the order of its lines."""
    statements = tuple(sql_statements(rendered))
    excluded = EXCLUDED | (CONTRACT_ALLOWS if branch == "contract" else {})
    found = [
        Finding(revision, path, it.line + 1, it.rule_name, it.message, it.help or "", _severity(it.rule_name))
        for it in squawk(rendered, revision, excluded, INCLUDED[branch], pg)
        if not _is_wrong_advice(it, statements)
    ]
    whole = Revision(branch, statements)
    for statement in statements:
        for rule in RULES:
            if branch in rule.branches and rule.finds(statement, whole):
                severity = "error" if rule.is_error else "warning"
                help_ = f"Instead: {rule.instead}."
                found.append(Finding(revision, path, statement.line, rule.name, rule.danger, help_, severity))
    for number, line in enumerate(rendered.splitlines(), start=1):
        if "squawk-ignore" in line:
            text = "a comment that hides findings from squawk"
            help_ = "Suppress it in the revision's LINT_ALLOWS, with a reason."
            found.append(Finding(revision, path, number, "suppression-without-a-reason", text, help_))
    yield from sorted(found, key=lambda finding: finding.line)


def _severity(rule: str) -> str:
    return "warning" if rule in STYLE else "error"


def _is_wrong_advice(complaint: Complaint, statements: tuple[SqlStatement, ...]) -> bool:
    """Where squawk proposes NOT VALID that PostgreSQL does not have, or takes a default for a restriction."""
    before = [statement.words for statement in statements if statement.line <= complaint.line + 1]
    last = before[-1] if before else ""
    if complaint.rule_name == "ban-new-write-restriction":  # a new column with a default refuses no write of legacy
        return " ADD COLUMN " in last and " DEFAULT " in last and " CHECK " not in last
    return complaint.rule_name == "constraint-missing-not-valid" and NOT_VALID_IS_WRONG.search(last) is not None
