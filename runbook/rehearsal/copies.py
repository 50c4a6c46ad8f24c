"""Copies a capability's tables into a throw-away database, with nothing more than SELECT on the originals.

Shapes come from the catalogue, rows by COPY in one snapshot. Indexes and constraints follow the rows. What a fresh
server cannot have (a default that calls a function of the bank's, a foreign key to a table that is not copied,
triggers) is left out and named. Nothing is written to the original, no slot is made there, and no lock is taken that a
writer or a reader would meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from runbook.rehearsal.table_shape import Shape, Statement, shape_of
from runbook.sides import Connection

SEQUENCES = """
SELECT s.schemaname, s.sequencename, s.data_type::text, s.start_value, s.min_value, s.max_value, s.increment_by,
       s.cache_size, s.cycle, s.last_value
FROM pg_sequences s
WHERE s.schemaname = ANY(%(schemas)s) AND s.increment_by > 0
  AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND d.objid = format('%%I.%%I', s.schemaname, s.sequencename)::regclass
      AND (d.deptype = 'i' OR d.refobjid <> ALL(%(tables)s::regclass[])))
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Copied:
    """What was made: rows by table, bytes of the originals, and what was left out."""

    rows: dict[str, int]
    size_bytes: int
    left_out: tuple[str, ...]


def shapes_of(source: Connection, tables: Sequence[str]) -> tuple[Shape, ...]:
    """Read the shapes of the tables. Raises TypeUnknown."""
    return tuple(shape_of(source, table) for table in tables)


def copy_tables(source: Connection, target: Connection, shapes: Sequence[Shape], say: Say, *, rows: bool) -> Copied:
    """Make the tables in the target, with their rows or empty, and the sequences beside them."""
    counts: dict[str, int] = {}
    left_out = [one for shape in shapes for one in shape.left_out]
    with _one_snapshot(source):
        for sequence in _sequences(source, shapes):
            target.execute(sequence)
        for shape in shapes:
            for statement in shape.before:
                target.execute(statement)
            counts[shape.text] = _copy(source, target, shape) if rows else 0
            left_out += _tried(target, shape.after)
            if rows:
                say(f"copied {shape.text}: {counts[shape.text]:,} rows")
    for shape in shapes:
        left_out += _tried(target, shape.foreign_keys)
        if rows:
            _place_identities(target, shape)
    target.execute("ANALYZE")
    return Copied(counts, sum(shape.size_bytes for shape in shapes), tuple(left_out))


@contextmanager
def _one_snapshot(source: Connection) -> Iterator[None]:
    with source.transaction():
        source.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _copy(source: Connection, target: Connection, shape: Shape) -> int:
    names = sql.SQL(", ").join(map(sql.Identifier, shape.columns))
    only = sql.SQL("" if shape.is_partitioned else "ONLY ")
    reading = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT BINARY)").format(names, only, shape.name)
    writing = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(shape.name, names)
    with source.cursor() as out, target.cursor() as into:
        with out.copy(reading) as rows, into.copy(writing) as sink:
            for data in rows:
                sink.write(data)
        return into.rowcount


def _tried(target: Connection, statements: Sequence[tuple[str, Statement]]) -> list[str]:
    """Run each; those that this server refuses are named, not raised: a rehearsal is not a migration."""
    failed = []
    for what, statement in statements:
        try:
            with target.transaction():
                target.execute(statement)
        except psycopg.Error as error:
            failed.append(f"{what} ({error.diag.message_primary})")
    return failed


def _sequences(source: Connection, shapes: Sequence[Shape]) -> Iterator[sql.Composed]:
    """Those that belong to the tables, and those that belong to none: a program calls them by name."""
    tables = [shape.name.as_string(source) for shape in shapes]
    schemas = sorted({shape.name._obj[0] for shape in shapes})  # noqa: SLF001  # the parts it was made of
    for row in source.execute(SEQUENCES, {"schemas": schemas, "tables": tables}).fetchall():
        schema, name, data_type, start, lowest, highest, step, cache, cycle, last = row
        yield sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema))
        yield sql.SQL("CREATE SEQUENCE {} AS {} START {} MINVALUE {} MAXVALUE {} INCREMENT {} CACHE {} {}").format(
            sql.Identifier(schema, name),
            sql.SQL(data_type),
            *(sql.Literal(number) for number in (start, lowest, highest, step, cache)),
            sql.SQL("CYCLE" if cycle else "NO CYCLE"),
        )
        if last is not None:
            quoted = sql.Identifier(schema, name).as_string(source)
            yield sql.SQL("SELECT setval({}::regclass, {})").format(sql.Literal(quoted), sql.Literal(last))


def _place_identities(target: Connection, shape: Shape) -> None:
    """A column that was given an identity after its rows goes on above them."""
    for column in shape.identities:
        query = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), greatest(max({}), 1)) FROM {}")
        target.execute(query.format(sql.Identifier(column), shape.name), (shape.name.as_string(target), column))
