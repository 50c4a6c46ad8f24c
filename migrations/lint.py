"""Renders each revision alone as SQL and has squawk look for what would lock, break or lose."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from alembic import command
from alembic.config import Config
from alembic.script import Script

from config.errors import StranglerError
from migrations.environment import BRANCHES, configuration, revisions

SQUAWK_SECONDS = 30

# Rules that do not apply to us at all, with the reason.
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
# Rules whose very subject is the contract branch: it removes what nobody uses any more.
CONTRACT_ALLOWS = {
    "ban-drop-column": "removing is what contract revisions are for, after the capability is retired",
    "ban-drop-table": "removing is what contract revisions are for, after the capability is retired",
    "ban-drop-view": "removing is what contract revisions are for, after the capability is retired",
    "ban-drop-function": "removing is what contract revisions are for, after the capability is retired",
}


@dataclass(frozen=True)
class Finding:
    """One statement that squawk objects to; `line` counts from 1 in the rendered SQL of the revision."""

    revision: str
    path: Path
    line: int
    rule: str
    message: str
    help: str

    def __str__(self) -> str:
        return f"{self.path.name}: {self.rule} (line {self.line} of its SQL): {self.message} {self.help}".strip()


@dataclass(eq=False)
class LinterMissing(StranglerError):
    """The squawk program is not installed."""

    @property
    def sentence(self) -> str:
        """Which program, and what for."""
        return "The linter of migrations, squawk, is not installed."

    @property
    def hint(self) -> str:
        """How to install it."""
        return "Run `make setup`, or `pip install squawk-cli` into the environment of strangler."


@dataclass(eq=False)
class LinterFailed(StranglerError):
    """squawk ended without an answer that can be read."""

    revision: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which revision, and the end of what squawk said."""
        return f"squawk could not look at revision {self.revision}: {self.reason}."


class _Complaint(msgspec.Struct):
    line: int
    rule_name: str
    message: str
    help: str | None = None


def lint(service: str = "ledger", pg_version: str = "18") -> tuple[Finding, ...]:
    """What squawk finds in the revisions of a service, each looked at alone; empty when all is well.

    Alone, because in one long script a table made by an earlier revision counts as new, and what is done to it later
    as harmless. Raises UnknownService, LinterMissing, LinterFailed.
    """
    return tuple(
        finding
        for branch in BRANCHES
        for script in revisions(configuration(service), branch)
        for finding in _look_at(script, render(service, script), branch, pg_version)
    )


def render(service: str, script: Script) -> str:
    """The SQL of one revision, as it would be sent; raises what the revision raises if it needs a database."""
    output = io.StringIO()
    config: Config = configuration(service, output)
    down = script.down_revision
    command.upgrade(config, f"{down if isinstance(down, str) else 'base'}:{script.revision}", sql=True)
    return output.getvalue()


def _look_at(script: Script, rendered: str, branch: str, pg_version: str) -> list[Finding]:
    excluded = EXCLUDED | (CONTRACT_ALLOWS if branch == "contract" else {})
    arguments = ["--reporter", "json", "--pg-version", pg_version, "--stdin-filepath", script.path]
    arguments += ["--exclude", ",".join(excluded), "--include", ",".join(INCLUDED[branch])]
    done = subprocess.run(
        [_squawk(), *arguments], input=rendered, capture_output=True, text=True, timeout=SQUAWK_SECONDS, check=False
    )
    try:
        complaints = msgspec.json.decode(done.stdout or "[]", type=list[_Complaint])
    except msgspec.DecodeError as error:
        raise LinterFailed(script.revision, (done.stderr or done.stdout).strip()[-500:]) from error
    if done.returncode and not complaints:
        raise LinterFailed(script.revision, done.stderr.strip()[-500:])
    path = Path(script.path)
    return [Finding(script.revision, path, it.line + 1, it.rule_name, it.message, it.help or "") for it in complaints]


def _squawk() -> str:
    """The program beside our own Python, or on the path. Raises LinterMissing."""
    found = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    if found is None:
        raise LinterMissing
    return found
