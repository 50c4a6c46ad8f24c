"""From the messages of the stream to parts: which transactions are skipped, what is counted, where the mode changes.

Pure: messages in, parts out. The reader appends ordinary changes of rows to `changes` by itself while `is_carrying`; it
gives everything else to `feed`. A transaction is left out when it lies before the checkpoint or when one of our own
streams of the same capability wrote it; in mode skip the changes of the others are counted as alarms and not applied,
except new sentinel rows. A key that changes, a TRUNCATE and a changed relation end the part, so that within a part the
last state of a row is all that matters.
"""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass

import structlog

from cdc.mapping import Mapping
from cdc.streaming import pgoutput
from cdc.streaming.batch import Ending, Part, Rekey, Truncate
from cdc.streaming.copy_rows import Layout
from cdc.streaming.messages import HEARTBEAT_PREFIX, MARKER_PREFIX, ORIGIN_PREFIX, facts, is_time
from cdc.streaming.pgoutput import (
    BEGIN,
    COMMIT,
    DELETE,
    INSERT,
    KIND,
    MESSAGE,
    NEW,
    OLD_ROW,
    ORIGIN,
    RELATION,
    RELATION_ID,
    TRUNCATE,
    TUPLE,
    TUPLE_KIND,
    UPDATE,
    Relation,
    Unchanged,
    Value,
)
from cdc.streaming.stream_errors import RelationChanged
from cdc.witness import WRITER_PREFIX, alarm, shown_writer

_ROWS = (INSERT, UPDATE, DELETE)
_ALARMED_MAX = 1000  # so many pairs of table and writer are told apart in the log

_log = structlog.get_logger()


@dataclass(frozen=True)
class Expected:
    """What the streams know before the first message: where they are, and the tables as the mappings expect them.

    `types` gives, per source table and column, the type's oid and modifier in the source's catalogue.
    """

    stream: str
    checkpoint: int
    mode: str
    mappings: ReadOnly[str, Mapping]
    types: ReadOnly[str, ReadOnly[str, tuple[int, int]]]
    sentinel: str
    is_text: bool = False  # values come as text, not in binary form

    @property
    def capability(self) -> str:
        """The stream's name without its direction."""
        return self.stream.rpartition(":")[0]


@dataclass
class _Tally:
    """What has come since the last ending."""

    transactions: int = 0
    skipped: int = 0
    alarms: int = 0
    last_alarm: str | None = None
    marker: str | None = None
    marker_position: int | None = None
    mode: str | None = None
    heartbeat: str | None = None

    def ending(self, position: int, commit_us: int) -> Ending:
        return Ending(position, commit_us, **vars(self))


class Transactions:
    """What is open: the part that is being filled, and the transaction in which the stream is."""

    def __init__(self, expected: Expected) -> None:
        self.changes: list[bytes] = []
        self.is_carrying = False  # whether the reader may append plain changes by itself
        self.is_between = True  # no transaction is open
        self.ready: list[Part] = []  # parts that had to end inside a transaction
        self._expected = expected
        self._mode = expected.mode
        self._layouts: dict[bytes, Layout] = {}
        self._refused: dict[bytes, RelationChanged] = {}  # relations that no change may be carried of
        self._first: Truncate | Rekey | None = None
        self._tally = _Tally()
        self._last_commit: bytes | None = None  # of the last transaction that was read whole and had not been applied
        self._is_applied = True  # the transaction lies before the checkpoint
        self._is_ours = False
        self._whole = 0  # so many of the changes are of transactions before the open one
        self._is_cut = False  # a part of the open transaction was handed over
        self._writer: ReadOnly[str, str | None] = {}  # who says that the open transaction is his
        self._foreign_origins: set[str] = set()
        self._alarmed: set[tuple[str, str]] = set()
        self._do = {
            BEGIN: self.begin,
            COMMIT: self.commit,
            ORIGIN: self._origin,
            RELATION: self._relation,
            MESSAGE: self._message,
            TRUNCATE: self._truncate,
            INSERT: self._row,
            UPDATE: self._row,
            DELETE: self._row,
        }

    @property
    def position(self) -> int:
        """The end of the last transaction that was read whole."""
        return self._expected.checkpoint if self._last_commit is None else pgoutput.end_lsn(self._last_commit)

    @property
    def commit_us(self) -> int:
        """When that transaction was committed, by the source's clock."""
        return 0 if self._last_commit is None else pgoutput.commit(self._last_commit).commit_us

    @property
    def has_news(self) -> bool:
        """Whether there is anything to record: at least the end of a transaction."""
        return self._tally.transactions > 0 or self._tally.skipped > 0

    @property
    def is_urgent(self) -> bool:
        """Whether somebody waits for it: rows, a marker, a heartbeat or an alarm, not only skipped transactions."""
        return self._tally.transactions > 0

    @property
    def has_marker(self) -> bool:
        """Whether a marker came, behind which the part ends, so that no marker hides another one."""
        return self._tally.marker is not None

    def feed(self, data: bytes) -> None:
        """Take one message; other kinds (types) say nothing that is needed."""
        action = self._do.get(data[KIND])
        if action is not None:
            action(data)

    def seal(self) -> Part:
        """End the part here: with an ending between transactions, without one inside."""
        ending = None
        if self.is_between:
            tally, self._tally = self._tally, _Tally()
            ending = tally.ending(self.position, self.commit_us)
        else:
            self._is_cut = True
        part = Part(self.changes, self._layouts, self._first, ending)
        self.changes, self._first = [], None
        return part

    def seal_whole(self) -> Part | None:
        """The transactions before the open one as a part of their own; None where there are none."""
        if self.is_between or self._is_cut or not self.has_news:
            return None
        tally, self._tally = self._tally, _Tally()
        if tally.marker_position is None:  # a marker of the open transaction: it is reported with that one
            self._tally.marker, self._tally.mode, tally.marker, tally.mode = tally.marker, tally.mode, None, None
        ending = tally.ending(self.position, self.commit_us)
        part = Part(self.changes[: self._whole], self._layouts, self._first, ending)
        self.changes, self._first, self._whole = self.changes[self._whole :], None, 0
        return part

    def begin(self, data: bytes) -> None:
        """A transaction begins. The log has them in the order of their commits: past the checkpoint, always past it."""
        self.is_between = self._is_ours = self._is_cut = False
        self._whole = len(self.changes)
        self._writer = {}
        if self._is_applied:
            self._is_applied = pgoutput.final_lsn(data) < self._expected.checkpoint
        self.is_carrying = not self._is_applied and self._mode == "apply" and not self._refused

    def commit(self, data: bytes) -> None:
        """It has ended."""
        self.is_between, self.is_carrying = True, False
        if self._is_applied:
            return
        self._last_commit = data
        tally = self._tally
        if self._is_ours:
            tally.skipped += 1
        else:
            tally.transactions += 1
        if tally.marker is not None and tally.marker_position is None:
            tally.marker_position = self.position

    def _origin(self, data: bytes) -> None:
        name = pgoutput.origin(data)
        if name.startswith(f"strangler:{self._expected.capability}:"):
            self._is_ours = True
            self._set_carrying()
        elif name not in self._foreign_origins:
            self._foreign_origins.add(name)
            _log.info("stream.other_origin", stream=self._expected.stream, origin=name)

    def _set_carrying(self) -> None:
        self.is_carrying = self._is_watched and self._mode == "apply" and not self._refused

    @property
    def _is_watched(self) -> bool:
        """Whether the changes that are not carried matter: in mode skip somebody else's."""
        return not self._is_applied and not self._is_ours

    def _relation(self, data: bytes) -> None:
        relation = pgoutput.relation(data)
        mapping = self._expected.mappings.get(relation.table)
        known = self._layouts.get(relation.id)
        if mapping is None or (known is not None and known.relation == relation):
            return
        self._refused.pop(relation.id, None)
        try:
            self._check(relation, mapping)
        except RelationChanged as error:
            # A backfill of ours puts the keys of its target aside; it is over before anybody else writes there.
            self._refused[relation.id] = error
            if not self._is_ours:
                raise
        self._set_carrying()
        self._end_part()
        self._layouts = {**self._layouts, relation.id: Layout(mapping, relation, self._expected.is_text)}

    def _check(self, relation: Relation, mapping: Mapping) -> None:
        """Refuse a relation that the mapping was not compiled for. Columns that no mapping reads may come and go."""
        found = {column.name: column for column in relation.columns}
        types = self._expected.types.get(relation.table, {})
        for column in mapping.reads:
            here = found.get(column.name)
            if here is None:
                raise self._changed(relation, f"has no column {column.name} any more")
            if (here.type_oid, here.modifier) != types.get(column.name):
                raise self._changed(relation, f"has another type of column {column.name} at this place of the log")
        if relation.identity == "n" or any(not found[name].is_key for name in mapping.source_key):
            raise self._changed(relation, "has a replica identity that does not cover the mapping's key")

    def _changed(self, relation: Relation, problem: str) -> RelationChanged:
        return RelationChanged(self._expected.stream, relation.table, problem)

    def _end_part(self) -> None:
        """End the part inside the open transaction; what came before that one does not wait for its end."""
        whole = self.seal_whole()
        if whole is not None:
            self.ready.append(whole)
        if self.changes or self._first is not None:
            self.ready.append(self.seal())

    def _message(self, data: bytes) -> None:
        message = pgoutput.message(data)
        if not message.is_transactional or self._is_applied:
            return
        if message.prefix == ORIGIN_PREFIX:
            if message.content.decode(errors="replace").startswith(f"{self._expected.capability}:"):
                self._is_ours = True
                self._set_carrying()
        elif message.prefix == MARKER_PREFIX:
            self._marker(facts(message.content))
        elif message.prefix == WRITER_PREFIX:
            self._writer = facts(message.content)
        elif message.prefix == HEARTBEAT_PREFIX:
            heartbeat = facts(message.content).get("heartbeat")
            if is_time(heartbeat):
                self._tally.heartbeat = heartbeat

    def _marker(self, said: ReadOnly[str, str | None]) -> None:
        if said.get("stream") != self._expected.stream or not said.get("marker"):
            return
        self._tally.marker, self._tally.marker_position = said["marker"], None
        if said.get("mode") in ("apply", "skip"):
            self._mode = str(said["mode"])
            self._tally.mode = self._mode
            self._set_carrying()

    def _truncate(self, data: bytes) -> None:
        if not self._is_watched:
            return
        layouts = tuple(self._layouts[one] for one in pgoutput.truncate(data) if one in self._layouts)
        if not layouts:
            return
        if self._mode == "skip":
            self._alarm(layouts[0], None)
            return
        self._end_part()
        self._first = Truncate(layouts)

    def _row(self, data: bytes) -> None:
        """A change that the reader does not append by itself."""
        layout = self._layouts.get(data[RELATION_ID])
        if layout is None or not self._is_watched:
            return
        if data[RELATION_ID] in self._refused:
            raise self._refused[data[RELATION_ID]]
        if self._mode == "skip":
            if layout.mapping.source_table != self._expected.sentinel:
                self._alarm(layout, data)
                return
            if data[KIND] != INSERT:
                return
        if data[KIND] == UPDATE and data[TUPLE_KIND] != NEW:
            self._update_with_old(layout, data)
        else:
            self.changes.append(data)

    def _alarm(self, layout: Layout, data: bytes | None) -> None:
        """Somebody writes where only our other stream should; the key is in the target's row, never in a log."""
        self._tally.alarms += 1
        self._tally.last_alarm = alarm(layout, data, self._writer)
        table, writer = layout.mapping.source_table, shown_writer(self._writer)
        if (table, writer) not in self._alarmed and len(self._alarmed) < _ALARMED_MAX:
            self._alarmed.add((table, writer))
            _log.warning("stream.alarm", stream=self._expected.stream, table=table, writer=writer)

    def _update_with_old(self, layout: Layout, data: bytes) -> None:
        """An update that also has the old key, because it changed, or the old row, because the identity is full."""
        old, at = pgoutput.read_tuple(data, TUPLE)
        new, _ = pgoutput.read_tuple(data, at + 1)
        if data[TUPLE_KIND] == OLD_ROW:
            new = [before if isinstance(after, Unchanged) else after for before, after in zip(old, new, strict=True)]
        kind = layout.value_kind
        update, removal = _change(data, UPDATE, new, kind), _change(data, DELETE, old, kind)
        if layout.key_of(removal) == layout.key_of(update):
            self.changes.append(update)
        elif any(isinstance(value, Unchanged) for value in new):
            self._end_part()
            self._first = Rekey(layout, removal, update)
            self._end_part()
        else:
            self.changes += [removal, update]


def is_plain(data: bytes) -> bool:
    """Whether a change of a row needs nothing but to be appended: it has one tuple."""
    return data[KIND] != UPDATE or data[TUPLE_KIND] == NEW


def _change(data: bytes, kind: int, values: list[Value], of: bytes) -> bytes:
    head = data[:KIND] + bytes((kind,)) + data[RELATION_ID] + (b"N" if kind == UPDATE else b"K")
    return head + pgoutput.write_tuple(values, of)
