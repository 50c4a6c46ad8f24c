"""Which rows some transactions of a log touched, by table and by the source's key as text; pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field

from cdc.streaming import pgoutput
from cdc.streaming.pgoutput import DELETE, INSERT, KIND, NEW, RELATION, RELATION_ID, TRUNCATE, TUPLE, TUPLE_KIND, UPDATE

_HEAD = b"w" + bytes(KIND - 1)  # what a walsender puts before a message, and a function that peeks does not
SourceKey = tuple[str, ...]


@dataclass
class Touched:
    """The keys of one table; `is_all` where it was emptied, or a key cannot be told."""

    keys: set[SourceKey] = field(default_factory=set)
    is_all: bool = False

    def add(self, values: list[pgoutput.Value], places: list[int]) -> None:
        """Note the key of a row."""
        key = [values[place] for place in places]
        self.keys.add(tuple(value.decode() for value in key if isinstance(value, bytes)))
        self.is_all |= not all(isinstance(value, bytes) for value in key)


def touched(messages: Iterable[bytes], keys: ReadOnly[str, tuple[str, ...]]) -> dict[str, Touched]:
    """What the messages (pgoutput's, as text) changed in the tables of `keys`, whose key's columns are the values."""
    found: dict[str, Touched] = {}
    tables: dict[bytes, tuple[str, list[int]]] = {}
    for one in messages:
        data = _HEAD + one
        kind = data[KIND]
        if kind == RELATION:
            relation = pgoutput.relation(data)
            names = [column.name for column in relation.columns]
            if relation.table in keys:
                tables[relation.id] = relation.table, [names.index(name) for name in keys[relation.table]]
        elif kind == TRUNCATE:
            for relation_id in pgoutput.truncate(data):
                if relation_id in tables:
                    found.setdefault(tables[relation_id][0], Touched()).is_all = True
        elif kind in (INSERT, UPDATE, DELETE) and data[RELATION_ID] in tables:
            table, places = tables[data[RELATION_ID]]
            of_table = found.setdefault(table, Touched())
            first, at = pgoutput.read_tuple(data, TUPLE)
            of_table.add(first, places)
            if kind == UPDATE and data[TUPLE_KIND] != NEW:
                of_table.add(pgoutput.read_tuple(data, at + 1)[0], places)
    return found
