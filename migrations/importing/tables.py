"""CREATE TABLE, ALTER TABLE and CREATE INDEX of three dialects, read into the model."""

from __future__ import annotations

from collections.abc import Sequence

from migrations.importing.columns import read_column
from migrations.importing.constraints import Reading, add_check, enforced, foreign_key, names
from migrations.importing.expressions import default_sql, expression_sql
from migrations.importing.model import Constraint, Index, Untranslatable, folded, quoted
from migrations.importing.scrub import scrub
from migrations.importing.tokens import Cursor, NotUnderstood, Token, split, words

_WORDS = "CONSTRAINT PRIMARY UNIQUE FOREIGN CHECK KEY INDEX FULLTEXT SPATIAL SUPPLEMENTAL PERIOD"
_ITEMS = frozenset(_WORDS.split())
Extra = tuple[str, str, str]
"""What was found beside a table: the type of an object that is left out, its name, and why."""
_NO_PARTITIONS = "partitions are left out: the table is made whole; partition it anew where its size asks for it"


def table_name(cursor: Cursor) -> str:
    """A qualified name, folded; the schema's name is left out."""
    token = cursor.take()
    while cursor.skip("."):
        token = cursor.take()
    if not token.is_name:
        raise NotUnderstood(token, "is not a name")
    return folded(token.name)


def read_table(cursor: Cursor, reading: Reading) -> tuple[list[Index], list[Extra]]:
    """The list in parentheses and what follows it. Raises NotUnderstood, Untranslatable."""
    indexes: list[Index] = []
    extras: list[Extra] = []
    if not cursor.sees("("):
        raise NotUnderstood(cursor.take(), "stands where the list of columns is expected")
    for item in split(cursor.group()):
        if item[0].upper in _ITEMS and not _is_column(item):
            _item(item, reading, indexes, extras)
        else:
            read_column(item, reading)
    extras += _options(cursor.rest(), reading)
    return indexes, extras


def _is_column(item: Sequence[Token]) -> bool:
    """Whether a word such as KEY is the name of a column: a type follows it."""
    following = item[1] if len(item) > 1 else None
    return (
        item[0].upper in ("KEY", "INDEX", "PERIOD")
        and following is not None
        and following.kind == "word"
        and (following.upper in ("VARCHAR", "VARCHAR2", "INT", "NUMBER", "CHAR", "DATE", "BIGINT"))
    )


def _item(tokens: Sequence[Token], reading: Reading, indexes: list[Index], extras: list[Extra]) -> None:
    kept, dropped = scrub(tokens, reading.dialect)
    for clause in dropped:
        reading.object.note("storage", f"dropped: {clause}")
    cursor = Cursor(kept)
    name = folded(cursor.take().name) if cursor.skip("CONSTRAINT") else ""
    table = reading.table
    if cursor.skip("PRIMARY", "KEY"):
        table.constraints.append(_key(Constraint("primary", name=name), cursor))
    elif cursor.sees("UNIQUE"):
        cursor.take()
        if reading.dialect == "mysql" and (cursor.skip("KEY") or cursor.skip("INDEX")) and not cursor.sees("("):
            name = folded(cursor.take().name)
        table.constraints.append(_key(Constraint("unique", name=name), cursor))
    elif cursor.skip("FOREIGN", "KEY"):
        if not cursor.sees("("):
            cursor.take()
        found = foreign_key_of(cursor, name)
        table.constraints.append(found)
    elif cursor.skip("CHECK"):
        add_check(cursor, name, reading)
    elif cursor.sees("FULLTEXT") or cursor.sees("SPATIAL"):
        kind = cursor.take().text.lower()
        cursor.skip("KEY")
        extras.append((f"{kind} index", cursor.take().name, "search is another thing in PostgreSQL"))
    elif cursor.skip("KEY") or cursor.skip("INDEX"):
        indexes.append(_inline_index(cursor, reading))
    else:
        reading.object.note("storage", f"dropped: {words(tokens)[:60]}")


def foreign_key_of(cursor: Cursor, name: str) -> Constraint:
    """(columns) REFERENCES table (columns) ..."""
    columns = names(cursor.group())
    cursor.expect("REFERENCES")
    found = foreign_key(cursor, columns)
    found.name = name
    return found


def _key(constraint: Constraint, cursor: Cursor) -> Constraint:
    constraint.columns = names(cursor.group())
    constraint.is_deferrable = cursor.skip("DEFERRABLE")
    return enforced(cursor, constraint)


def _inline_index(cursor: Cursor, reading: Reading) -> Index:
    name = folded(cursor.take().name) if not cursor.sees("(") else ""
    return Index(name, reading.table.name, _keys(cursor.group(), reading))


def _keys(tokens: Sequence[Token], reading: Reading) -> tuple[str, ...]:
    found = []
    for part in split(tokens):
        is_down = part[-1].upper == "DESC"
        core = part[:-1] if part[-1].upper in ("ASC", "DESC") else part
        column = reading.table.column(folded(core[0].name))
        if column is not None and len(core) in (1, 4):
            if len(core) == 4:
                reading.object.note("index", f"{column.name}: an index on its first characters covers all of them now")
            sql = quoted(column.name)
        else:
            sql = f"({expression_sql(core, reading.dialect, reading.table)})"
        found.append(f"{sql} DESC" if is_down else sql)
    return tuple(found)


def _options(tokens: list[Token], reading: Reading) -> list[Extra]:
    """What follows the list of columns: storage, partitions, the comment."""
    extras: list[Extra] = []
    at = next((n for n, token in enumerate(tokens) if token.upper == "PARTITION"), None)
    if at is not None:
        extras = _partitions(tokens[at:], reading)
        tokens = tokens[:at]
    if not tokens:
        return extras
    kept, dropped = scrub([tokens[0], *tokens], reading.dialect)
    for clause in dropped:
        reading.object.note("storage", f"dropped: {clause}")
    cursor = Cursor(kept[1:])
    while not cursor.is_at_end:
        if cursor.skip("COMMENT"):
            cursor.skip("=")
            reading.table.comment = cursor.take().value
        elif cursor.skip("AUTO_INCREMENT"):
            cursor.skip("=")
            _start_at(cursor.take().text, reading)
        elif not cursor.skip(","):
            token = cursor.take()
            reading.object.note("option", f"dropped: {token.text[:60]}", token.line)
    return extras


def _start_at(number: str, reading: Reading) -> None:
    for column in reading.table.columns:
        if column.identity:
            column.identity = f"GENERATED BY DEFAULT AS IDENTITY (START WITH {number})"


def _partitions(tokens: list[Token], reading: Reading) -> list[Extra]:
    """Every partition by its name."""
    found = []
    for at, token in enumerate(tokens[:-1]):
        if token.upper in ("PARTITION", "SUBPARTITION") and tokens[at + 1].is_name and tokens[at + 1].upper != "BY":
            found.append((token.text.lower(), f"{reading.table.name}.{tokens[at + 1].name}", _NO_PARTITIONS))
    reading.object.note("partitions", f"{words(tokens[:6])}: {len(found)} named partitions. {_NO_PARTITIONS}")
    return found


def alter_table(cursor: Cursor, reading: Reading) -> bool:
    """ALTER TABLE ... ADD or MODIFY, whose table is read already; False where it changes nothing of the schema."""
    is_valid = not cursor.skip("WITH", "NOCHECK")
    cursor.skip("WITH", "CHECK")
    if cursor.skip("ADD"):
        _added(cursor, reading, is_valid)
        return True
    if cursor.skip("MODIFY"):
        _modified(cursor, reading)
        return True
    return False


def _added(cursor: Cursor, reading: Reading, is_valid: bool) -> None:
    items = split(cursor.group()) if cursor.sees("(") else split(cursor.rest())
    extras: list[Extra] = []
    for item in items:
        before = len(reading.table.constraints)
        if [token.upper for token in item[:1]] == ["DEFAULT"] or (len(item) > 2 and item[2].upper == "DEFAULT"):
            _added_default(item, reading)
        elif item[0].upper in _ITEMS:
            _item(item, reading, [], extras)
        else:
            read_column(item[1:] if item[0].upper == "COLUMN" else item, reading)
        for constraint in reading.table.constraints[before:]:
            constraint.is_valid = constraint.is_valid and is_valid


def _added_default(item: Sequence[Token], reading: Reading) -> None:
    """SQL Server: CONSTRAINT [DF] DEFAULT ((0)) FOR [Column]."""
    start = next(n for n, token in enumerate(item) if token.upper == "DEFAULT") + 1
    end = next((n for n, token in enumerate(item) if token.upper == "FOR"), len(item))
    column = reading.table.column(folded(item[end + 1].name)) if end + 1 < len(item) else None
    if column is None:
        raise NotUnderstood(item[-1], "is not a column of the table")
    try:
        column.default = default_sql(item[start:end], reading.dialect, column.kind)
    except Untranslatable as problem:
        reading.object.note("default", f"{column.name}: the default was left out: {problem}", item[0].line)


def _modified(cursor: Cursor, reading: Reading) -> None:
    """Oracle: MODIFY ("X" NOT NULL ENABLE), MODIFY ("X" DEFAULT 0)."""
    for item in split(cursor.group() if cursor.sees("(") else cursor.rest()):
        part = Cursor(item)
        name = folded(part.take().name)
        column = reading.table.column(name)
        if column is None:
            raise NotUnderstood(item[0], "is not a column of the table")
        if part.skip("DEFAULT"):
            column.default = default_sql(part.rest(), reading.dialect, column.kind)
        elif not part.is_at_end:
            is_named = part.skip("CONSTRAINT") and part.take()
            if not part.skip("NOT", "NULL"):
                raise NotUnderstood(item[1], f"is not known in MODIFY {name}{' of a constraint' if is_named else ''}")
            column.not_null = True


def read_index(cursor: Cursor, reading: Reading, name: str, is_unique: bool) -> Index:
    """What follows ON table. Raises NotUnderstood, Untranslatable."""
    keys = _keys(cursor.group(), reading)
    include: tuple[str, ...] = ()
    if cursor.skip("INCLUDE"):
        include = names(cursor.group())
    where = ""
    if cursor.skip("WHERE"):
        tokens: list[Token] = []
        while (token := cursor.peek()) is not None and token.upper not in ("WITH", "ON"):
            tokens.append(cursor.take())
        where = expression_sql(tokens, reading.dialect, reading.table)
    kept, dropped = scrub([Token("mark", "", 0, 0, 0), *cursor.rest()], reading.dialect)
    for clause in dropped:
        reading.object.note("storage", f"dropped: {clause}")
    rest = [token for token in kept[1:] if token.upper not in ("LOCAL", "GLOBAL")]
    if rest and rest[0].upper == "INDEXTYPE":
        raise Untranslatable("a domain index")
    for token in rest:
        reading.object.note("option", f"dropped: {token.text[:60]}", token.line)
    return Index(name, reading.table.name, keys, is_unique, include, where)
