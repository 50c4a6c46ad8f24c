"""Runs squawk, the reference linter of PostgreSQL DDL, on the SQL of one revision."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from config.errors import StranglerError

SQUAWK_SECONDS = 30


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


class Complaint(msgspec.Struct):
    """What squawk says of one place; `line` counts from 0."""

    line: int
    rule_name: str
    message: str
    help: str | None = None


def squawk(rendered: str, revision: str, excluded: Iterable[str], included: Iterable[str], pg: str) -> list[Complaint]:
    """All complaints about a script. Raises LinterMissing, LinterFailed."""
    arguments = ["--reporter", "json", "--pg-version", pg, "--stdin-filepath", f"{revision}.sql"]
    arguments += ["--exclude", ",".join(excluded), "--include", ",".join(included)]
    done = subprocess.run(
        [program(), *arguments], input=rendered, capture_output=True, text=True, timeout=SQUAWK_SECONDS, check=False
    )
    try:
        complaints = msgspec.json.decode(done.stdout or "[]", type=list[Complaint])
    except msgspec.DecodeError as error:
        raise LinterFailed(revision, (done.stderr or done.stdout).strip()[-500:]) from error
    if done.returncode and not complaints:
        raise LinterFailed(revision, done.stderr.strip()[-500:])
    return complaints


def program() -> str:
    """The program beside our own Python, or on the path. Raises LinterMissing."""
    found = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    if found is None:
        raise LinterMissing
    return found
