"""Keys, references and checks of a table, and whether legacy enforces them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from migrations.importing.expressions import expression_sql
from migrations.importing.model import Constraint, Object, Table, Untranslatable, folded
from migrations.importing.tokens import Cursor, Token, split, words
from migrations.importing.type_policy import TypePolicy


@dataclass
class Reading:
    """The table that is being read, the object of the report, and what the dialect and the policy say."""

    table: Table
    object: Object
    dialect: str
    policy: TypePolicy


def enforced(cursor: Cursor, constraint: Constraint) -> Constraint:
    """ENABLE, DISABLE, NOVALIDATE after a constraint: whether it is in force, and for the rows that exist."""
    while (token := cursor.peek()) is not None and token.upper in ("ENABLE", "DISABLE", "NOVALIDATE", "VALIDATE"):
        word = cursor.take().upper
        constraint.is_enabled = constraint.is_enabled and word != "DISABLE"
        constraint.is_valid = constraint.is_valid and word != "NOVALIDATE"
    return constraint


def names(tokens: Sequence[Token]) -> tuple[str, ...]:
    """A list of columns; ASC and DESC do not matter to a key."""
    return tuple(folded(part[0].name) for part in split(tokens))


def foreign_key(cursor: Cursor, columns: tuple[str, ...]) -> Constraint:
    """What follows REFERENCES."""
    table = cursor.take()
    while cursor.skip("."):
        table = cursor.take()
    referenced = names(cursor.group()) if cursor.sees("(") else ()
    found = Constraint("foreign", columns, references=folded(table.name), referenced=referenced)
    while not cursor.is_at_end:
        if cursor.skip("ON", "DELETE"):
            found.on_delete = _action(cursor)
        elif cursor.skip("ON", "UPDATE"):
            found.on_update = _action(cursor)
        elif cursor.skip("DEFERRABLE") or cursor.skip("INITIALLY", "DEFERRED"):
            found.is_deferrable = True
        elif not (cursor.skip("NOT", "DEFERRABLE") or cursor.skip("INITIALLY", "IMMEDIATE")):
            before = cursor.at
            enforced(cursor, found)
            if cursor.at == before:
                break
    return found


def _action(cursor: Cursor) -> str:
    first = cursor.take().upper
    return f"{first} {cursor.take().upper}" if first in ("SET", "NO") else first


def add_check(cursor: Cursor, name: str, reading: Reading) -> None:
    """CHECK (...); Oracle's "X" IS NOT NULL becomes NOT NULL."""
    tokens = cursor.group()
    found = enforced(cursor, Constraint("check", name=name))
    if [token.upper for token in tokens[1:]] == ["IS", "NOT", "NULL"] and found.is_enabled and found.is_valid:
        column = reading.table.column(folded(tokens[0].name))
        if column is not None:
            column.not_null = True
            return
    try:
        found.check = expression_sql(tokens, reading.dialect, reading.table)
    except Untranslatable as problem:
        reading.object.note("check", f"the check {name or words(tokens)[:60]} was left out: {problem}")
        return
    reading.table.constraints.append(found)
