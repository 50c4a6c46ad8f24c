"""A script to a schema: every statement is translated into the model, or left out with its reason.

The one place that knows the order of things: statements come one after the other, a table is complete only after the
last statement about it, and each statement ends as exactly one of `translated` and `left_out`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from migrations.importing.constraints import Reading
from migrations.importing.left_out import left_out
from migrations.importing.model import Index, Object, Sequence, Table, Untranslatable, folded
from migrations.importing.script import Statement, statements
from migrations.importing.scrub import scrub
from migrations.importing.sequences import sequence_options
from migrations.importing.tables import Extra, alter_table, read_index, read_table, table_name
from migrations.importing.tokens import Cursor, NotUnderstood
from migrations.importing.type_policy import TypePolicy
from migrations.importing.views import View, read_view


@dataclass
class Schema:
    """What was read: the model by name, the objects of the report, and for each statement the object it went into."""

    dialect: str
    tables: dict[str, Table] = field(default_factory=dict)
    sequences: dict[str, Sequence] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    indexes: list[tuple[Index, Object]] = field(default_factory=list)
    objects: list[Object] = field(default_factory=list)
    of_table: dict[str, Object] = field(default_factory=dict)
    of_sequence: dict[str, Object] = field(default_factory=dict)
    statements: list[Object] = field(default_factory=list)

    @property
    def translated(self) -> int:
        """The statements whose object can be made."""
        return sum(found.confidence not in ("left_out", "refused") for found in self.statements)

    def add(self, found: Object) -> Object:
        """Put an object into the report."""
        self.objects.append(found)
        return found


def read_script(text: str, policy: TypePolicy, tell: Callable[[int], None] = lambda _: None) -> Schema:
    """Read a whole script; `tell` hears how many statements were read so far."""
    return read_statements(statements(text, policy.dialect), policy, tell)


def read_statements(
    found: Iterable[Statement | Object], policy: TypePolicy, tell: Callable[[int], None] = lambda _: None
) -> Schema:
    """Read statements; an object stands for a statement that could not be had."""
    schema = Schema(policy.dialect)
    for one in found:
        schema.statements.append(schema.add(one) if isinstance(one, Object) else _object_of(one, schema, policy))
        tell(len(schema.statements))
    return schema


def _object_of(statement: Statement, schema: Schema, policy: TypePolicy) -> Object:
    handler = _handler(statement)
    if handler is None:
        kind, name = left_out(statement)
        lines = statement.tokens[-1].line - statement.line + 1
        found = schema.add(Object(name, kind.type, "left_out", line=statement.line, lines=lines))
        found.note("left out", kind.reason)
        return found
    try:
        return handler(statement, schema, policy)
    except (NotUnderstood, Untranslatable) as problem:
        return _refused(statement, schema, problem)


def _refused(statement: Statement, schema: Schema, problem: Exception) -> Object:
    _, written = left_out(statement)
    name = folded(written)
    found = schema.of_table.pop(name, None)
    kind = _kind(statement)
    if found is None or "ALTER" in statement.words(1):
        if found is not None:
            schema.of_table[name] = found
        found = schema.add(Object(name, kind, line=statement.line))
    else:
        del schema.tables[name]
    found.confidence = "refused"
    found.note("refused", str(problem), problem.token.line if isinstance(problem, NotUnderstood) else 0)
    return found


def _kind(statement: Statement) -> str:
    """What a refused statement is about."""
    verb = statement.tokens[0].upper
    if verb != "CREATE":
        return {"ALTER": "alteration", "COMMENT": "comment"}.get(verb, "extended property")
    return next((word.lower() for word in statement.words(16) if word in _KINDS), "object")


_KINDS = ("TABLE", "INDEX", "SEQUENCE", "VIEW")
Handler = Callable[[Statement, Schema, TypePolicy], Object]


def _handler(statement: Statement) -> Handler | None:
    words = statement.words(6)
    first = [word for word in words if word not in ("OR", "REPLACE", "FORCE", "SHARDED", "IMMUTABLE", "BLOCKCHAIN")]
    if first[:1] == ["CREATE"]:
        if "INDEX" in first[1:4]:
            return None if {"FULLTEXT", "SPATIAL", "COLUMNSTORE", "XML"} & set(first) else _create_index
        handler = {"TABLE": _create_table, "SEQUENCE": _create_sequence}.get(first[1] if len(first) > 1 else "")
        return _create_view if handler is None and left_out(statement)[0].type == "view" else handler
    if first[:2] == ["ALTER", "TABLE"]:
        return _alter_table
    if first[:2] == ["COMMENT", "ON"]:
        return _comment
    if first[:1] in (["EXEC"], ["EXECUTE"]):
        strings = _strings(statement)
        return _extended_property if strings[:1] == ["MS_Description"] and "TABLE" in strings else None
    return None


def _create_table(statement: Statement, schema: Schema, policy: TypePolicy) -> Object:
    cursor = Cursor(statement.tokens)
    while not cursor.skip("TABLE"):
        cursor.take()
    cursor.skip("IF", "NOT", "EXISTS")
    name = table_name(cursor)
    found = Object(name, "table", line=statement.line)
    if name in schema.tables:
        raise Untranslatable(f"a table {name} was read already")
    table = Table(name)
    schema.tables[name], schema.of_table[name] = table, schema.add(found)
    indexes, extras = read_table(cursor, Reading(table, found, schema.dialect, policy))
    for index in indexes:
        _add_index(index, schema, statement.line)
    _add_extras(extras, schema, statement.line)
    return found


def _add_index(index: Index, schema: Schema, line: int) -> Object:
    found = schema.add(Object(index.name, "index", line=line))
    schema.indexes.append((index, found))
    return found


def _add_extras(extras: list[Extra], schema: Schema, line: int) -> None:
    for kind, name, reason in extras:
        schema.add(Object(name, kind, "left_out", line=line)).note("left out", reason)


def _reading(cursor: Cursor, schema: Schema, policy: TypePolicy) -> Reading:
    name = table_name(cursor)
    table = schema.tables.get(name)
    if table is None:
        raise Untranslatable(f"there is no table {name} in what was read before")
    return Reading(table, schema.of_table[name], schema.dialect, policy)


def _alter_table(statement: Statement, schema: Schema, policy: TypePolicy) -> Object:
    cursor = Cursor(statement.tokens[2:])
    reading = _reading(cursor, schema, policy)
    if alter_table(cursor, reading):
        return reading.object
    found = schema.add(Object(reading.table.name, "alteration", "left_out", line=statement.line))
    found.note("left out", "switches a constraint or an option on or off: in PostgreSQL it is on")
    return found


def _create_index(statement: Statement, schema: Schema, policy: TypePolicy) -> Object:
    tokens, _ = scrub(statement.tokens[: _place(statement, "INDEX") + 1], schema.dialect)
    is_unique, is_bitmap = (any(token.upper == word for token in tokens) for word in ("UNIQUE", "BITMAP"))
    cursor = Cursor(statement.tokens[_place(statement, "INDEX") + 1 :])
    name = table_name(cursor)
    cursor.expect("ON")
    reading = _reading(cursor, schema, policy)
    found = Object(name, "index", line=statement.line)
    index = read_index(cursor, Reading(reading.table, found, schema.dialect, policy), name, is_unique)
    if is_bitmap:
        found.note("index", "a bitmap index became an ordinary one")
    if _is_given_by_a_key(index, reading.table):
        found.confidence = "left_out"
        found.note("left out", "the primary key or a unique constraint of the table has the same columns")
        return schema.add(found)
    schema.indexes.append((index, found))
    return schema.add(found)


def _place(statement: Statement, word: str) -> int:
    return next(n for n, token in enumerate(statement.tokens) if token.upper == word)


def _is_given_by_a_key(index: Index, table: Table) -> bool:
    keys = [constraint.columns for constraint in table.constraints if constraint.kind in ("primary", "unique")]
    return index.is_unique and not index.where and index.keys in keys


def _create_sequence(statement: Statement, schema: Schema, _: TypePolicy) -> Object:
    cursor = Cursor(statement.tokens)
    while not cursor.skip("SEQUENCE"):
        cursor.take()
    name = table_name(cursor)
    found = schema.add(Object(name, "sequence", line=statement.line))
    schema.sequences[name] = Sequence(name, " ".join(sequence_options(cursor, found)))
    schema.of_sequence[name] = found
    return found


def _create_view(statement: Statement, schema: Schema, _: TypePolicy) -> Object:
    found = Object("", "view", line=statement.line)
    view = read_view(statement, found, schema.dialect)
    placeholder = schema.views.pop(view.name, None)
    if placeholder is not None:
        placeholder.object.confidence = "left_out"
        placeholder.object.note("left out", "a placeholder of the dump: the view itself comes later")
    schema.views[view.name] = view
    return schema.add(found)


def _comment(statement: Statement, schema: Schema, _: TypePolicy) -> Object:
    cursor = Cursor(statement.tokens[2:])
    kind = cursor.take().upper
    path = [cursor.take().name]
    while cursor.skip("."):
        path.append(cursor.take().name)
    cursor.expect("IS")
    text = cursor.take().value
    if kind not in ("TABLE", "COLUMN"):
        raise Untranslatable(f"a comment on a {kind.lower()}")
    return _commented([folded(part) for part in path], kind == "COLUMN", text, schema)


def _commented(path: list[str], is_column: bool, text: str, schema: Schema) -> Object:
    table = schema.tables.get(path[-2] if is_column and len(path) > 1 else path[-1])
    if table is None:
        raise Untranslatable(f"a comment on {'.'.join(path)}, which was not read as a table")
    if not is_column:
        table.comment = text
        return schema.of_table[table.name]
    column = table.column(path[-1])
    if column is None:
        raise Untranslatable(f"a comment on {'.'.join(path)}, which is no column of it")
    column.comment = text
    return schema.of_table[table.name]


def _strings(statement: Statement) -> list[str]:
    return [token.value for token in statement.tokens if token.kind == "string"]


def _extended_property(statement: Statement, schema: Schema, _: TypePolicy) -> Object:
    """SQL Server keeps comments as extended properties named MS_Description."""
    strings = _strings(statement)
    values = dict(zip(strings[2::2], strings[3::2], strict=False))
    names = {kind.upper(): name for kind, name in values.items()}
    path = [folded(names["TABLE"])] + ([folded(names["COLUMN"])] if "COLUMN" in names else [])
    return _commented(path, "COLUMN" in names, strings[1], schema)
