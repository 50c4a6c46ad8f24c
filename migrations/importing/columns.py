"""One item of CREATE TABLE's list: a column with its type and clauses, or a constraint of the table."""

from __future__ import annotations

from collections.abc import Sequence

from migrations.importing.column_types import type_of
from migrations.importing.constraints import Reading, add_check, enforced, foreign_key
from migrations.importing.expressions import default_sql, expression_sql
from migrations.importing.identity import INTEGERS, counted, identity
from migrations.importing.model import Column, Constraint, Table, Untranslatable, folded, quoted
from migrations.importing.scrub import scrub
from migrations.importing.tokens import Cursor, NotUnderstood, Token
from migrations.importing.type_policy import LegacyType


def read_column(tokens: Sequence[Token], reading: Reading) -> None:
    """Add one column to the table. Raises NotUnderstood, Untranslatable."""
    kept, dropped = scrub(tokens, reading.dialect)
    for clause in dropped:
        reading.object.note("storage", f"dropped: {clause}")
    cursor = Cursor(kept)
    name = folded(cursor.take().name)
    where = f"{reading.table.name}.{name}"
    following = cursor.peek()
    if following is not None and following.upper in ("AS", "GENERATED"):
        kind, note = "", ""  # a computed column without a type of its own
    else:
        legacy = type_of(cursor)
        kind, note = reading.policy.becomes(legacy, where)
        _note_length(legacy, where, reading)
        _enumerated(legacy, name, reading)
    if note:
        reading.object.note("type", f"{name}: {note}", kept[0].line)
    column = Column(name, kind)
    reading.table.columns.append(column)
    while not cursor.is_at_end:
        _clause(cursor, column, reading)
    if not column.kind:
        reading.table.columns.remove(column)


def _note_length(legacy: LegacyType, where: str, reading: Reading) -> None:
    written = "".join(legacy.arguments).upper()
    if reading.dialect == "oracle" and legacy.name in ("VARCHAR2", "CHAR") and "CHAR" not in written:
        reading.object.note("length", f"{where}: a length in bytes became the same number of characters")
    if legacy.name.startswith(("TIMESTAMP", "DATETIME2")) and written.isdigit() and int(written) > 6:
        reading.object.note("precision", f"{where}: fractions finer than a microsecond are cut")


def _enumerated(legacy: LegacyType, name: str, reading: Reading) -> None:
    if legacy.name == "ENUM":
        values = ", ".join(legacy.arguments)
        check = Constraint("check", check=f"{quoted(name)} IN ({values})", name=f"{reading.table.name}_{name}_enum")
        reading.table.constraints.append(check)


def _clause(cursor: Cursor, column: Column, reading: Reading) -> None:
    """One clause after a column's type."""
    token = cursor.take()
    clause = _CLAUSES.get(token.upper)
    if clause is None:
        raise NotUnderstood(token, f"is not known in the definition of column {column.name}")
    clause(cursor, column, reading)


def _not(cursor: Cursor, column: Column, _: Reading) -> None:
    cursor.expect("NULL")
    column.not_null = True
    if cursor.skip("DISABLE"):
        column.not_null = False


def _default(cursor: Cursor, column: Column, reading: Reading) -> None:
    if cursor.skip("ON", "NULL"):
        text = "DEFAULT ON NULL sets it for an explicit NULL, too; DEFAULT does not"
        reading.object.note("default", f"{column.name}: {text}")
        cursor.skip("FOR", "INSERT", "ONLY")
    tokens = _expression(cursor)
    try:
        column.default = default_sql(tokens, reading.dialect, column.kind)
    except Untranslatable as problem:
        reading.object.note("default", f"{column.name}: the default was left out: {problem}")


def _expression(cursor: Cursor) -> list[Token]:
    """The tokens of a default: to the next word that begins a clause."""
    tokens: list[Token] = []
    while (token := cursor.peek()) is not None and not (tokens and token.upper in _CLAUSES and token.upper != "NULL"):
        if tokens and token.upper == "NULL" and tokens[-1].upper != "NOT":
            break
        if token.text == "(":
            start = cursor.at
            cursor.group()
            tokens += cursor.between(start)
        else:
            tokens.append(cursor.take())
    return tokens


def _named(cursor: Cursor, column: Column, reading: Reading) -> None:
    name = folded(cursor.take().name)
    before = len(reading.table.constraints)
    _clause(cursor, column, reading)
    for constraint in reading.table.constraints[before:]:
        constraint.name = name


def _key(kind: str, cursor: Cursor, column: Column, reading: Reading) -> None:
    cursor.skip("KEY")
    _order(cursor)
    constraint = Constraint("primary" if kind == "primary" else "unique", (column.name,))
    reading.table.constraints.append(enforced(cursor, constraint))


def _order(cursor: Cursor) -> None:
    if cursor.sees("("):  # [Id] int PRIMARY KEY ([Id] ASC)
        cursor.group()


def _references(cursor: Cursor, column: Column, reading: Reading) -> None:
    reading.table.constraints.append(foreign_key(cursor, (column.name,)))


def _check(cursor: Cursor, _: Column, reading: Reading) -> None:
    add_check(cursor, "", reading)


def _generated(cursor: Cursor, column: Column, reading: Reading) -> None:
    how = "ALWAYS" if cursor.skip("ALWAYS") else "BY DEFAULT"
    cursor.skip("BY", "DEFAULT")
    if cursor.skip("ON", "NULL"):
        text = "an explicit NULL gets a number in Oracle, and is an error here"
        reading.object.note("identity", f"{column.name}: {text}")
    cursor.expect("AS")
    if cursor.skip("IDENTITY"):
        identity(cursor, column, how)
    else:
        _computed(cursor, column, reading)


def _computed(cursor: Cursor, column: Column, reading: Reading) -> None:
    tokens = cursor.group()
    is_stored = cursor.skip("PERSISTED") or cursor.skip("STORED")
    cursor.skip("VIRTUAL")
    try:
        column.generated = expression_sql(tokens, reading.dialect, reading.table)
        column.kind = column.kind or _kind_of(tokens, reading.table)
        column.generated = f"({column.generated}) {'STORED' if is_stored else 'VIRTUAL'}"
    except Untranslatable as problem:
        column.kind, column.generated = "", None
        reading.object.note("computed", f"{column.name}: the computed column was left out: {problem}")


def _kind_of(tokens: Sequence[Token], table: Table) -> str:
    kinds = {found.kind for token in tokens if token.is_name and (found := table.column(folded(token.name)))}
    if kinds and all(kind.startswith(("numeric", *INTEGERS)) for kind in kinds):
        return "numeric"
    raise Untranslatable("its type is not written, and does not follow from numbers")


def _comment(cursor: Cursor, column: Column, _: Reading) -> None:
    column.comment = cursor.take().value


def _on_update(cursor: Cursor, column: Column, reading: Reading) -> None:
    cursor.expect("UPDATE")
    _expression(cursor)
    reading.object.note(
        "on update", f"{column.name}: it changes by itself in legacy: a trigger or the service must do it"
    )


def _as(cursor: Cursor, column: Column, reading: Reading) -> None:
    _computed(cursor, column, reading)


def _nothing(_: Cursor, __: Column, ___: Reading) -> None:
    """A word that says what is so anyway."""


_CLAUSES = {
    "NOT": _not,
    "NULL": _nothing,
    "ENABLE": _nothing,
    "DEFAULT": _default,
    "CONSTRAINT": _named,
    "PRIMARY": lambda cursor, column, reading: _key("primary", cursor, column, reading),
    "UNIQUE": lambda cursor, column, reading: _key("unique", cursor, column, reading),
    "KEY": _nothing,
    "REFERENCES": _references,
    "CHECK": _check,
    "GENERATED": _generated,
    "IDENTITY": lambda cursor, column, _: identity(cursor, column, "BY DEFAULT"),
    "AUTO_INCREMENT": lambda _, column, __: counted(column),
    "COMMENT": _comment,
    "ON": _on_update,
    "AS": _as,
    "VIRTUAL": _nothing,
    "PERSISTED": _nothing,
    "STORED": _nothing,
}
