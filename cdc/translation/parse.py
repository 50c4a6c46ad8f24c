"""One mapping file as text becomes a header and one SELECT over one table, in its author's dialect.

Where mathematics does not give the way back, the author does: below a line `-- reverse:` stands a SELECT over the
target table, in PostgreSQL's own dialect, that gives the columns of the source that would be lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sqlglot import ErrorLevel, exp, parse
from sqlglot.errors import SqlglotError

from cdc.translation.db2 import standard
from cdc.translation.refusals import Place, Refusal
from cdc.translation.syntax import unreadable

DIALECTS = ("oracle", "tsql", "mysql", "postgres", "db2")
HEADER = ("target", "key", "dialect")
OPTIONAL = ("reference",)
_LINE = re.compile(r"^\s*--\s*(\w+)\s*:\s*(.*?)\s*$")
_REVERSE = re.compile(r"^\s*--\s*reverse\s*:\s*$", re.MULTILINE | re.IGNORECASE)
_BYTES_MAX = 256 * 1024


@dataclass(frozen=True)
class ParsedMapping:
    """What a file says, before either database was asked."""

    file: Path
    target: str
    key: tuple[str, ...]
    dialect: str
    select: exp.Select
    reverse: exp.Select | None = None
    is_reference: bool = False

    @property
    def source(self) -> exp.Table:
        """The one table it reads."""
        table = self.select.args["from_"].this
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            raise Refusal("FROM does not name a table", "Name one table of the source database.")
        return table


def parse_mapping(file: Path, text: str) -> ParsedMapping:
    """Read header and statement. Raises Refusal."""
    header = _header(text)
    dialect = header["dialect"]
    if dialect not in DIALECTS:
        raise Refusal(f"the dialect {dialect!r} is not known", f"Known: {', '.join(DIALECTS)}.")
    key = tuple(name.strip().lower() for name in header["key"].split(",") if name.strip())
    if not key:
        raise Refusal("the line '-- key:' names no column", "For example: -- key: account_id")
    forward, *back = _REVERSE.split(text)
    if len(back) > 1:
        raise Refusal("the line '-- reverse:' stands twice", "Keep one of them.")
    select = select_of(forward, dialect)
    reverse = select_of("\n" * forward.count("\n") + back[0], "postgres") if back else None
    return ParsedMapping(file, header["target"].lower(), key, dialect, select, reverse, _is_reference(header))


def is_reference(text: str) -> bool:
    """Whether a mapping's file declares its table as one that others may look rows up in."""
    try:
        return _is_reference(_header(text))
    except Refusal:
        return False


def _is_reference(header: dict[str, str]) -> bool:
    said = header.get("reference", "false").lower()
    if said not in ("true", "false"):
        raise Refusal("the line '-- reference:' says neither true nor false", "For example: -- reference: true")
    return said == "true"


def _header(text: str) -> dict[str, str]:
    header: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.match(line)
        if match and match[1].lower() in HEADER + OPTIONAL:
            name = match[1].lower()
            if name in header:
                raise Refusal(f"the line '-- {name}:' stands twice", "Keep one of them.", Place(number))
            header[name] = match[2] if name != "dialect" else match[2].lower()
        elif line.strip() and not line.lstrip().startswith("--"):
            break
    for name in HEADER:
        if not header.get(name):
            raise Refusal(f"there is no line '-- {name}: ...' above the SELECT", f"Add it: -- {name}: ...")
    return header


def select_of(text: str, dialect: str) -> exp.Select:
    """The one SELECT of a text. Raises Refusal."""
    if len(text) > _BYTES_MAX:
        raise Refusal("the file is larger than 256 KiB", "A mapping is one SELECT.")
    reader, text = ("postgres", standard(text)) if dialect == "db2" else (dialect, text)
    try:
        statements = [found for found in parse(text, dialect=reader, error_level=ErrorLevel.RAISE) if found]
    except (SqlglotError, RecursionError) as error:
        raise unreadable(error, text, dialect) from error
    if len(statements) != 1:
        raise Refusal(f"the file has {len(statements)} statements", "A mapping is one SELECT.")
    statement = statements[0]
    if not isinstance(statement, exp.Select):
        kind = "UNION" if isinstance(statement, exp.SetOperation) else statement.key.upper()
        raise Refusal(f"the statement is not one SELECT but {kind}", "A mapping is one SELECT over one table.")
    if any(isinstance(node, exp.Command) for node in statement.walk()):
        raise Refusal("a part of the statement is not understood", "A mapping is one SELECT over one table.")
    if dialect == "db2":  # its words were exchanged for others: lines are right, places in them are not
        for node in statement.walk():
            node.meta.pop("start", None)
    if statement.args.get("from_") is None:
        raise Refusal("the SELECT has no FROM", "Name one table of the source database.")
    return statement
