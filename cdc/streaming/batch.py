"""Whole transactions, collapsed by primary key, bounded in rows and bytes; pure.

A `Part` is what the reader hands to the applier. Mostly it is a whole batch: some transactions and the `Ending` that
becomes the checkpoint. A transaction that is larger than the limits comes as several parts, of which only the last has
an ending; they are applied one after the other inside one target transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cdc.streaming.copy_rows import Layout, Rows, frame_keys, frame_partial, frame_rows, missing_columns
from cdc.streaming.pgoutput import INSERT, KIND, RELATION_ID, TUPLE, UPDATE, Unchanged, read_tuple, write_tuple

_UNCHANGED, _FIRST = b"u", TUPLE + 2  # its kind byte may be at the first value's place or behind
_ONLY_INSERTS, _ONLY_UPDATES = {INSERT}, {UPDATE}


@dataclass(frozen=True)
class Limits:
    """When a batch is handed over at the next commit; a transaction that goes on is cut at twice that.

    `idle_rows` are enough for an applier that has nothing to do: far behind, batches are as large as what gathers while
    it works, and neither the first one nor the last one makes everybody wait.
    """

    rows: int = 40_000
    idle_rows: int = 8_000
    bytes: int = 8 << 20


@dataclass(frozen=True)
class Ending:
    """What the target records when the transactions of a batch have been applied."""

    position: int
    commit_us: int
    transactions: int = 0
    skipped: int = 0
    alarms: int = 0
    last_alarm: str | None = None
    marker: str | None = None
    marker_position: int | None = None
    mode: str | None = None
    heartbeat: str | None = None


@dataclass(frozen=True)
class Truncate:
    """These tables were emptied before the changes of the part."""

    layouts: tuple[Layout, ...]


@dataclass(frozen=True)
class Rekey:
    """A row got another key and keeps a large value that the log lacks; `old` and `new` are changes with a tuple."""

    layout: Layout
    old: bytes
    new: bytes


@dataclass(frozen=True)
class Part:
    """Changes in source order (each with its tuple at TUPLE), what must happen before them, and the ending, if any."""

    changes: list[bytes]
    layouts: Mapping[bytes, Layout]
    first: Truncate | Rekey | None = None
    ending: Ending | None = None
    tables: list[TableRows] = field(default_factory=list)

    def prepare(self) -> Part:
        """Collapse and frame the changes, so that the applier has only to send them."""
        self.tables.extend(frame(collapse(self.changes, self.layouts)))
        return self


@dataclass
class TableChanges:
    """The last state of each row of one table, by its key. Rows in `inserted` did not exist before the batch."""

    layout: Layout
    inserted: dict[bytes, bytes] = field(default_factory=dict)
    changed: dict[bytes, bytes] = field(default_factory=dict)
    only_inserted: Sequence[bytes] = ()  # instead of both, where nothing else happened: nobody needs their keys


@dataclass(frozen=True)
class TableRows:
    """The changes of one table, ready to be copied. `partial` is by the columns whose values are missing."""

    layout: Layout
    inserted: Rows
    changed: Rows
    deleted: Rows
    partial: Mapping[tuple[str, ...], Rows]

    @property
    def staged(self) -> tuple[str, ...]:
        """The staging tables that get rows of it; those with missing values come on their own."""
        roles = {"changed": self.changed, "inserted": self.inserted, "deleted": self.deleted}
        return tuple(role for role, rows in roles.items() if rows.count)


def collapse(changes: Iterable[bytes], layouts: Mapping[bytes, Layout]) -> list[TableChanges]:
    """The last state of each row, by table in order of appearance.

    Insert then update is an insert; update then update is the last one, with large values that it does not carry taken
    from the one before; anything then delete is a delete; delete then insert replaces the row. Tables
    that nobody maps are left out.
    """
    by_relation: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for message in changes:
        by_relation[message[RELATION_ID]].append(message)
    return [_collapse(layouts[relation], messages) for relation, messages in by_relation.items() if relation in layouts]


def _collapse(layout: Layout, messages: list[bytes]) -> TableChanges:
    """Of one table. Half the cost of a batch were keys; most are a slice, and a ledger's postings need none.

    Where rows were only updated and nothing is missing in the last states, the ones before need not be looked at: that
    takes a third of the time.
    """
    kinds = {message[KIND] for message in messages}
    if kinds == _ONLY_INSERTS:
        return TableChanges(layout, only_inserted=messages)
    place = layout.key_place
    if kinds == _ONLY_UPDATES and place is not None:
        last = {message[place]: message for message in messages}
        if not any(
            message.find(_UNCHANGED, _FIRST) > 0 and missing_columns(layout, message) for message in last.values()
        ):
            return TableChanges(layout, changed=last)
    table = TableChanges(layout)
    inserted, changed, key_of = table.inserted, table.changed, layout.key_of
    for message in messages:
        key = message[place] if place else key_of(message)
        kind = message[KIND]
        if kind == UPDATE:
            if key in inserted:
                inserted[key] = _on_top_of(inserted[key], message, layout.value_kind)
            elif key in changed:
                changed[key] = _on_top_of(changed[key], message, layout.value_kind)
            else:
                changed[key] = message
        elif kind == INSERT:
            (changed if key in changed else inserted)[key] = message
        else:
            inserted.pop(key, None)
            changed[key] = message
    return table


def frame(tables: Iterable[TableChanges]) -> list[TableRows]:
    """The collapsed changes as rows to copy."""
    return [_frame(table) for table in tables]


def _frame(table: TableChanges) -> TableRows:
    layout = table.layout
    kept: list[bytes] = []
    deleted: list[bytes] = []
    for message in table.changed.values():
        (kept if message[KIND] in (UPDATE, INSERT) else deleted).append(message)
    inserted, never = frame_rows(layout, table.only_inserted or table.inserted.values())
    changed, lacking = frame_rows(layout, kept + never)
    partial: dict[tuple[str, ...], list[bytes]] = {}
    for message in lacking:
        partial.setdefault(missing_columns(layout, message), []).append(message)
    framed = {columns: frame_partial(layout, messages) for columns, messages in partial.items()}
    return TableRows(layout, inserted, changed, frame_keys(layout, deleted), framed)


def _on_top_of(older: bytes, newer: bytes, kind: bytes) -> bytes:
    """The newer row with the large values that it does not carry taken from the older one."""
    if newer.find(_UNCHANGED, _FIRST) < 0:
        return newer
    before, _ = read_tuple(older, TUPLE)
    after, _ = read_tuple(newer, TUPLE)
    values = [old if isinstance(new, Unchanged) else new for old, new in zip(before, after, strict=True)]
    return newer[:TUPLE] + write_tuple(values, kind)
