"""Keys of rows that a stream has just written, kept until they have settled; bounded: what is left out is counted."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache

from psycopg import pq
from psycopg.adapt import Transformer

from cdc.streaming.batch import Part, Rekey
from cdc.streaming.copy_rows import Layout, key_values
from cdc.streaming.pgoutput import RELATION_ID
from cdc.verification.touched import SourceKey

NOTED_MAX = 100  # rows of a part that are noted; of a larger one every so manieth is, for catching up is not to wait
WAITING_MAX = 10_000  # keys of a table that wait for their turn
SETTLED_SECONDS = 2.0  # so long a row must not have been written


@dataclass(frozen=True)
class Taken:
    """Keys of one table whose turn it is, as texts in the order of the mapping's source key."""

    table: str
    keys: tuple[SourceKey, ...]
    passed: int  # parts that had gone by without every key of them being noted


class Noted:
    """Two threads share it: the applier notes what it is about to apply, the re-check takes what has settled."""

    def __init__(self, tables: Collection[str]) -> None:
        self._left_out = 0
        self._tables = tables  # of the source; others are not re-checked
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, dict[SourceKey, float]] = defaultdict(dict)  # in the order of the last write
        self._passed: defaultdict[str, int] = defaultdict(int)

    def note(self, part: Part, now: float) -> None:
        """Note the rows of a part, before it is applied."""
        step = -(-len(part.changes) // NOTED_MAX)
        layouts = [rows.layout for rows in part.tables] if step > 1 else []
        if part.first is not None:
            layouts += [part.first.layout] if isinstance(part.first, Rekey) else part.first.layouts
        found = list(_keys(part, step or 1))
        with self._lock:
            for layout in layouts:
                self._passed[layout.mapping.source_table] += 1
            self._left_out += len(part.changes) - len(found)
            for table, key in found:
                if table not in self._tables:
                    continue
                waiting = self._waiting[table]
                waiting.pop(key, None)
                waiting[key] = now
                if len(waiting) > WAITING_MAX:
                    del waiting[next(iter(waiting))]
                    self._left_out += 1

    def take(self, table: str, most: int, now: float) -> Taken:
        """The keys that have settled longest ago."""
        with self._lock:
            waiting = self._waiting[table]
            keys: list[SourceKey] = []
            for key, at in waiting.items():
                if len(keys) >= most or now - at < SETTLED_SECONDS:
                    break
                keys.append(key)
            for key in keys:
                del waiting[key]
            return Taken(table, tuple(keys), self._passed[table])

    def take_left_out(self) -> int:
        """How many rows were not noted, or were noted and forgotten, since this was last asked."""
        with self._lock:
            left_out, self._left_out = self._left_out, 0
            return left_out

    def has_stayed(self, taken: Taken, key: SourceKey) -> bool:
        """Whether nobody has written the row since it was taken, as far as that is known."""
        with self._lock:
            return self._passed[taken.table] == taken.passed and key not in self._waiting[taken.table]


def _keys(part: Part, step: int) -> Iterable[tuple[str, SourceKey]]:
    readers = {relation: KeyReader(layout) for relation, layout in part.layouts.items()} if part.changes else {}
    for change in part.changes[::step]:
        reader = readers.get(change[RELATION_ID])
        if reader is not None:
            yield reader.table, reader.texts(change)


class KeyReader:
    """The key of a change as texts that PostgreSQL reads, in the order of the mapping's source key."""

    def __init__(self, layout: Layout) -> None:
        self.table = layout.mapping.source_table
        self._layout = layout
        types = {column.name: column.type_oid for column in layout.relation.columns}
        self._columns = [
            (layout.keys.index(name), _decoded if layout.is_text else _loader(types[name]))
            for name in layout.mapping.source_key
        ]

    def texts(self, change: bytes) -> SourceKey:
        """Of one change."""
        values = key_values(self._layout, change)
        return tuple(load(values[place]) for place, load in self._columns)


@cache
def _loader(type_oid: int) -> Callable[[bytes], str]:
    """From the binary form; to look a loader up costs more than to use it."""
    load = Transformer().get_loader(type_oid, pq.Format.BINARY).load

    def text(value: bytes) -> str:
        loaded = load(value)
        return "\\x" + loaded.hex() if isinstance(loaded, bytes) else str(loaded)

    return text


def _decoded(value: bytes) -> str:
    return value.decode()
