"""What a legacy schema says, as plain facts, before it is written for PostgreSQL: tables, constraints, indexes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

NAME_BYTES_MAX = 63
_PLAIN = re.compile(r"^[a-z_][a-z0-9_]*$")
_WORDS = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
returning right select session_user similar some symmetric system_user table tablesample then to trailing true union
unique user using variadic verbose when where window with
"""
_RESERVED = frozenset(_WORDS.split())

Confidence = Literal["proven", "executed", "parsed", "refused", "left_out"]


def folded(name: str) -> str:
    """A name as PostgreSQL will store it: in lower case, and cut with a hash where it is longer than 63 bytes."""
    lower = name.lower()
    if len(lower.encode()) <= NAME_BYTES_MAX:
        return lower
    mark = hashlib.sha256(lower.encode()).hexdigest()[:8]
    return lower.encode()[: NAME_BYTES_MAX - 9].decode(errors="ignore") + "_" + mark


def quoted(name: str) -> str:
    """A stored name as SQL, with quotes only where it needs them."""
    if _PLAIN.match(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Finding:
    """Something to know about an object: which rule, and in words. `line` is the script's, 0 where there is none."""

    rule: str
    text: str
    line: int = 0


@dataclass
class Column:
    """One column; `kind` is its PostgreSQL type, `default`, `generated` are SQL."""

    name: str
    kind: str
    not_null: bool = False
    default: str | None = None
    identity: str | None = None
    generated: str | None = None
    comment: str | None = None


@dataclass
class Constraint:
    """A constraint of a table; `check` is SQL. `is_valid` says that the rows that exist are known to keep it."""

    kind: Literal["primary", "unique", "check", "foreign"]
    columns: tuple[str, ...] = ()
    name: str = ""
    check: str = ""
    references: str = ""
    referenced: tuple[str, ...] = ()
    on_delete: str = ""
    on_update: str = ""
    is_valid: bool = True
    is_enabled: bool = True
    is_deferrable: bool = False


@dataclass
class Index:
    """An index; `keys` are SQL: a column or an expression, perhaps with DESC."""

    name: str
    table: str
    keys: tuple[str, ...]
    is_unique: bool = False
    include: tuple[str, ...] = ()
    where: str = ""


@dataclass
class Table:
    """A table as it stands after all statements about it."""

    name: str
    columns: list[Column] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)
    comment: str | None = None

    def column(self, name: str) -> Column | None:
        """The column of this name, as folded."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass
class Sequence:
    """A sequence; bounds beyond bigint are left out."""

    name: str
    options: str = ""


@dataclass
class Object:
    """One object of the legacy schema and what becomes of it."""

    name: str
    type: str
    confidence: Confidence = "parsed"
    sql: str = ""
    findings: list[Finding] = field(default_factory=list)
    line: int = 0
    lines: int = 1

    def note(self, rule: str, text: str, line: int = 0) -> None:
        """Add a finding, once."""
        finding = Finding(rule, text, line or self.line)
        if finding not in self.findings:
            self.findings.append(finding)


class Untranslatable(Exception):
    """Raised inside the translation of one part: why it has no equivalent; the caller knows the object."""
