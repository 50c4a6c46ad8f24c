"""A live PostgreSQL catalogue as steps of an import: the server writes the definitions, we choose the types.

A rehosted monolith lives in PostgreSQL already. Its definitions come from pg_get_constraintdef and its like, with an
empty search path, so that every name is qualified. What is imported is read back from the scratch database in the same
way; a table whose facts are the same there is `proven`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg

from config.errors import DatabaseDown
from migrations.importing.emit import Step
from migrations.importing.expressions import literal
from migrations.importing.model import Finding, Object, quoted

_TABLES = """
SELECT c.oid, c.relname, c.relkind = 'p', obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname"""
_COLUMNS = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text,
       pg_catalog.col_description(a.attrelid, a.attnum), t.typnamespace = 'pg_catalog'::regnamespace
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_CONSTRAINTS = """
SELECT conname, contype::text, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
WHERE conrelid = %s AND contype IN ('p', 'u', 'c', 'f', 'x') AND conparentid = 0 ORDER BY contype = 'f', conname"""
_INDEXES = """
SELECT c.relname, pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid
                                      AND k.contype IN ('p', 'u', 'x')) ORDER BY c.relname"""
_SEQUENCES = """
SELECT s.sequencename, s.start_value, s.increment_by, s.min_value, s.max_value, s.cycle, s.last_value
FROM pg_catalog.pg_sequences s
WHERE s.schemaname = %s AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d WHERE d.objid = format('%%I.%%I', s.schemaname, s.sequencename)::regclass
    AND d.deptype = 'i') ORDER BY 1"""
# In the order of their making, so that one over another comes after it.
_VIEWS = """
SELECT c.relname, pg_catalog.pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c
WHERE c.relnamespace = %s::text::regnamespace AND c.relkind = 'v' ORDER BY c.oid"""
# What is named and counted, and left out.
_OTHERS = """
SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
       ELSE 'partition' END, c.relname FROM pg_catalog.pg_class c
WHERE c.relnamespace = %(s)s::text::regnamespace
  AND (c.relkind IN ('m', 'f') OR (c.relispartition AND c.relkind = 'r'))
UNION ALL SELECT 'trigger', t.tgname FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = %(s)s::text::regnamespace AND NOT t.tgisinternal
UNION ALL SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, p.proname FROM pg_catalog.pg_proc p
WHERE p.pronamespace = %(s)s::text::regnamespace
UNION ALL SELECT 'type', t.typname FROM pg_catalog.pg_type t
WHERE t.typnamespace = %(s)s::text::regnamespace AND t.typtype IN ('e', 'd', 'r')
UNION ALL SELECT 'schema', n.nspname FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^(pg_|information_schema$)' AND n.nspname <> %(s)s::text ORDER BY 1, 2"""
_PROFILE = """
SELECT count({c}), max(scale(trim_scale({c}))), max(length(trunc(abs({c}))::text))
FROM {t} WHERE {c} NOT IN ('NaN', 'Infinity', '-Infinity')"""
_OWN_TYPES = {"money": "numeric(19,2)", "time with time zone": "time", "json": "jsonb"}
_BIGINT_DIGITS, _ROOM_DIGITS = 18, 2
Facts = tuple[Any, ...]


@dataclass
class LiveSchema:
    """What was read: the steps of an import, the objects, and each table's facts for the proof."""

    objects: list[Object] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)
    of_table: dict[str, Object] = field(default_factory=dict)

    def step(self, found: Object, statement: str) -> None:
        """Add one statement that makes an object."""
        found.sql = f"{found.sql};\n{statement}" if found.sql else statement
        self.steps.append(Step(found, statement))

    def add(self, name: str, kind: str) -> Object:
        """Add one object."""
        self.objects.append(Object(name, kind))
        return self.objects[-1]


def connect(database_url: str) -> psycopg.Connection[Facts]:
    """A connection without a search path. Raises DatabaseDown."""
    try:
        return psycopg.connect(database_url, connect_timeout=5, options="-c search_path= -c statement_timeout=60s")
    except psycopg.OperationalError as error:
        raise DatabaseDown("the database to import from", str(error)) from error


def read_live(
    connection: psycopg.Connection[Facts], schema: str, overrides: Mapping[str, str], *, profile: bool
) -> LiveSchema:
    """Read one schema; `profile` scans the tables with a bare numeric to choose its precision."""
    live = LiveSchema()
    live.step(live.add(schema, "schema"), f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    for name, start, step, low, high, cycles, last in connection.execute(_SEQUENCES, (schema,)).fetchall():
        bounds = f"MINVALUE {low} MAXVALUE {high} START WITH {start} INCREMENT BY {step}"
        found = live.add(name, "sequence")
        live.step(found, f"CREATE SEQUENCE {_qualified(schema, name)} {bounds}{' CYCLE' if cycles else ''}")
        if last is not None:
            found.note("sequence", f"it stands at {last} in legacy; the cutover raises it")
    tables = connection.execute(_TABLES, (schema,)).fetchall()
    later: list[tuple[Object, str]] = []
    for oid, name, is_partitioned, comment in tables:
        found = live.add(name, "table")
        if is_partitioned:
            found.note("partitions", "it is partitioned in legacy; here it is made whole")
        live.of_table[name] = found
        later += _table(connection, live, (schema, name, oid), overrides, profile=profile)
        if comment:
            later.append((found, f"COMMENT ON TABLE {_qualified(schema, name)} IS {literal(comment)}"))
    for found, statement in later:
        live.step(found, statement)
    for name, definition in connection.execute(_VIEWS, (schema,)).fetchall():
        live.step(live.add(name, "view"), f"CREATE VIEW {_qualified(schema, name)} AS {definition.strip().rstrip(';')}")
    for kind, name in connection.execute(_OTHERS, {"s": schema}).fetchall():
        other = live.add(name, kind)
        other.confidence = "left_out"
        other.note("left out", "only tables, sequences, indexes, constraints and views are imported")
    live.facts = read_facts(connection, schema)
    return live


def _table(
    connection: psycopg.Connection[Facts],
    live: LiveSchema,
    table: tuple[str, str, int],
    overrides: Mapping[str, str],
    *,
    profile: bool,
) -> list[tuple[Object, str]]:
    """Add one CREATE TABLE, and give what must come after all tables: indexes, references, comments."""
    schema, name, oid = table
    found, qualified = live.of_table[name], _qualified(schema, name)
    items, later = [], []
    for column, kind, not_null, default, identity, generated, comment, is_ours in connection.execute(_COLUMNS, (oid,)):
        wanted = overrides.get(f"{name}.{column}".upper()) or overrides.get(kind.upper())
        chosen = str(wanted or _OWN_TYPES.get(kind, kind))
        if chosen == "numeric":
            chosen = _profiled(connection, found, qualified, column) if profile else _bare(found, column)
        if chosen != kind:
            found.note("type", f"{column}: {kind} became {chosen}")
        elif not is_ours:
            found.note("type", f"{column}: the type {kind} is not PostgreSQL's own: give it one in a file (--types)")
        items.append(_column((str(column), chosen, bool(not_null)), default, identity, generated))
        if comment:
            later.append((found, f"COMMENT ON COLUMN {qualified}.{quoted(column)} IS {literal(comment)}"))
    for constraint, kind, definition in connection.execute(_CONSTRAINTS, (oid,)).fetchall():
        if kind == "f":
            key = live.add(f"{name}.{constraint}", "foreign key")
            later.append((key, f"ALTER TABLE {qualified} ADD CONSTRAINT {quoted(constraint)} {definition}"))
        else:
            items.append(f"CONSTRAINT {quoted(constraint)} {definition}")
    body = ",\n    ".join(items)
    live.step(found, f"CREATE TABLE {qualified} (\n    {body}\n)")
    for index, definition in connection.execute(_INDEXES, (oid,)).fetchall():
        later.insert(0, (live.add(index, "index"), definition))
    return later


def _column(column: tuple[str, str, bool], default: str | None, identity: str, generated: str) -> str:
    name, kind, not_null = column
    parts = [quoted(name), kind]
    if generated:
        parts.append(f"GENERATED ALWAYS AS ({default}) {'STORED' if generated == 's' else 'VIRTUAL'}")
    elif identity:
        parts.append(f"GENERATED {'ALWAYS' if identity == 'a' else 'BY DEFAULT'} AS IDENTITY")
    elif default is not None:
        parts.append(f"DEFAULT {default}")
    return " ".join([*parts, "NOT NULL"] if not_null else parts)


def _bare(found: Object, column: str) -> str:
    found.note("type", f"{column}: a bare numeric: profile the data (--profile), or give it a precision in a file")
    return "numeric"


def _profiled(connection: psycopg.Connection[Facts], found: Object, table: str, column: str) -> str:
    statement = _PROFILE.format(c=quoted(column), t=table)
    rows, scale, digits = cast(Facts, connection.execute(statement.encode()).fetchone())
    if not rows:
        return _bare(found, column)
    chosen = f"numeric({digits + scale + _ROOM_DIGITS},{scale})"
    if not scale and digits <= _BIGINT_DIGITS:
        chosen = "bigint"
    found.note("profile", f"{column}: {rows:,} values, at most {digits} digits before the point and {scale} after it")
    return chosen


def read_facts(connection: psycopg.Connection[Facts], schema: str) -> dict[str, Facts]:
    """What a table is, for a comparison of two databases."""
    facts = {}
    for oid, name, *_ in connection.execute(_TABLES, (schema,)).fetchall():
        columns = [row[:6] for row in connection.execute(_COLUMNS, (oid,)).fetchall()]
        others = [connection.execute(query, (oid,)).fetchall() for query in (_CONSTRAINTS, _INDEXES)]
        facts[name] = (columns, *others)
    return facts


def prove(live: LiveSchema, scratch: psycopg.Connection[Facts], schema: str) -> None:
    """A table that is the same in the scratch database, by its whole catalogue, is proven."""
    after = read_facts(scratch, schema)
    for name, facts in live.facts.items():
        found = live.of_table[name]
        if after.get(name) == facts and found.confidence == "executed":
            found.confidence = "proven"
            found.findings.append(Finding("proof", "columns, constraints and indexes are the same in the catalogue"))


def _qualified(schema: str, name: str) -> str:
    return f"{quoted(schema)}.{quoted(name)}"
