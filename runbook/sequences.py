"""Sequences of the new home are raised above the old home's before a write is let in.

Which sequence feeds which key is not always in the catalogue (a program calls nextval by name). The rule, from certain
to safe: a sequence belongs to the table whose column owns it or defaults to it; else to the mapped table whose name
begins the sequence's name; else to every mapped table. Sequences of tables that are not mapped are left alone. The
floor of a sequence is the greatest of: the last value of the old home's sequences that belong to the same mapping, and
the highest value of the mapping's integer key columns on the new home. It is set to the floor and a gap, so that values
that sessions have cached (CACHE n) cannot meet. A sequence only ever goes up, so doing it again changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from psycopg import sql

from cdc.mapping import Mapping
from runbook.errors import SequenceTooSmall
from runbook.sides import Side, Sides, table_name
from runbook.stages import Home

GAP = 1000
INTEGER = re.compile(r"(smallint|integer|bigint|numeric\(\d+(,0)?\))\Z")

SEQUENCES = """
SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname, n.nspname, c.relname,
       pg_sequence_last_value(c.oid), s.seqmax,
       (SELECT CASE tn.nspname WHEN 'public' THEN '' ELSE tn.nspname || '.' END || t.relname
        FROM (SELECT d.refobjid FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
              UNION ALL
              SELECT a.adrelid FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid
              WHERE d.classid = 'pg_attrdef'::regclass
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid) AS attached (relid)
        JOIN pg_class t ON t.oid = attached.relid JOIN pg_namespace tn ON tn.oid = t.relnamespace LIMIT 1),
       has_sequence_privilege(c.oid, 'UPDATE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE n.nspname = ANY(%s) AND s.seqincrement > 0 ORDER BY 1
"""
SET = "SELECT setval(%s::regclass, %s)"


@dataclass(frozen=True)
class Sequence:
    """One sequence; `last` is 0 while it was never used, `table` the one that it is attached to."""

    name: str
    schema: str
    relation: str
    last: int
    maximum: int
    table: str | None
    may_be_set: bool


@dataclass(frozen=True)
class Raise:
    """A sequence of the new home, and the value above which it has to go on."""

    sequence: Sequence
    floor: int

    @property
    def value(self) -> int:
        """What it is set to."""
        return self.floor + GAP

    @property
    def is_done(self) -> bool:
        """Whether it is as high as that."""
        return self.sequence.last >= self.value


class SequencePlan:
    """Made before the pause, with the highest keys of each table, for reading them needs a scan.

    In the pause only sequences are read; keys that a program without a sequence gave meanwhile are within the gap.
    """

    def __init__(self, sides: Sides, home: Home) -> None:
        self.sides, self.home = sides, home
        self._old, self._new = sides.at(home), sides.other(home)
        self._highest = {mapping.target_table: self._highest_keys(mapping) for mapping in sides.mappings}

    def raises(self) -> tuple[Raise, ...]:
        """Read both sides, and return every sequence of the new home with its floor."""
        old = _sequences(self._old)
        found = []
        for sequence in _sequences(self._new):
            floors = [0]
            for mapping in self.sides.mappings:
                if belongs(sequence, self._new.tables, self._table(mapping, self._new)):
                    floors.append(self._highest[mapping.target_table])
                    its_own = self._table(mapping, self._old)
                    floors += [s.last for s in old if belongs(s, self._old.tables, its_own)]
            if len(floors) > 1:
                found.append(Raise(sequence, max(floors)))
        return tuple(found)

    def run(self) -> str:
        """Set every sequence that is too low. Raises SequenceTooSmall, for one that cannot go there."""
        done = []
        for item in self.raises():
            if item.is_done:
                continue
            if item.value > item.sequence.maximum:
                raise SequenceTooSmall(item.sequence.name, item.floor, item.sequence.maximum)
            name = sql.Identifier(item.sequence.schema, item.sequence.relation).as_string(self._new.conn)
            self._new.ask(SET, (name, item.value))
            done.append(f"{item.sequence.name} {item.sequence.last:,} -> {item.value:,}")
        return ", ".join(done) or "all are high enough"

    def _table(self, mapping: Mapping, side: Side) -> str:
        return mapping.source_table if side.home == "legacy" else mapping.target_table

    def _columns(self, mapping: Mapping) -> tuple[str, ...]:
        """The integer columns of the new home's key."""
        if self._new.home == "modern":
            types = {column.name: column.type for column in mapping.columns}
            return tuple(name for name in mapping.key if INTEGER.match(types[name]))
        types = {column.name: column.type for column in mapping.reads}
        return tuple(name for name in mapping.source_key if INTEGER.match(types[name]))

    def _highest_keys(self, mapping: Mapping) -> int:
        columns = self._columns(mapping)
        if not columns:
            return 0
        tops = [sql.SQL("coalesce(max({}), 0)::bigint").format(sql.Identifier(name)) for name in columns]
        query = sql.SQL("SELECT greatest({}, 0) FROM {}")
        table = table_name(self._table(mapping, self._new))
        return int(self._new.ask(query.format(sql.SQL(", ").join(tops), table))[0][0])


def belongs(sequence: Sequence, tables: tuple[str, ...], table: str) -> bool:
    """Whether a sequence belongs to that table, of the mapped tables of its side (the rule in the module's head)."""
    if sequence.table is not None:
        return sequence.table == table
    by_name = [name for name in tables if sequence.relation.startswith(name.rpartition(".")[2])]
    return table == max(by_name, key=len) if by_name else True


def _sequences(side: Side) -> tuple[Sequence, ...]:
    schemas = sorted({table.partition(".")[0] if "." in table else "public" for table in side.tables})
    rows = side.ask(SEQUENCES, (schemas,))
    return tuple(Sequence(n, s, r, int(last or 0), int(top), t, ok) for n, s, r, last, top, t, ok in rows)
