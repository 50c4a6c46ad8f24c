"""A binary tuple of the stream to a row of COPY BINARY, without decoding a value.

The two formats differ by the kind byte before each value, by 'n' for NULL (COPY says length -1), and by 'u' for a large
value that did not change, for which COPY has no word. PostgreSQL's page sql-copy, section Binary Format.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from cdc.mapping import Mapping
from cdc.streaming.pgoutput import BINARY, NULL, TEXT, TUPLE, NotBinary, Relation

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
VALUES, PRESENT = frozenset((BINARY, TEXT)), frozenset((BINARY, TEXT, NULL))
_FIRST = TUPLE + 2  # the kind byte of the tuple's first value

# Widths of the binary form of types that have one width, by oid, as pg_type.dat gives them: bool, "char", int8, int2,
# int4, oid, float4, float8, money, date, time, timestamp, timestamptz, timetz, interval, uuid.
WIDTHS = {16: 1, 18: 1, 20: 8, 21: 2, 23: 4, 26: 4, 700: 4, 701: 8, 790: 8, 1082: 4, 1083: 8, 1114: 8, 1184: 8}
WIDTHS |= {1266: 12, 1186: 16, 2950: 16}

KeyOf = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Rows:
    """Rows as COPY BINARY takes them."""

    data: bytes
    count: int


@dataclass(frozen=True)
class Layout:
    """How the tuples of one relation, as the stream describes it now, become rows of its mapping's staging table."""

    mapping: Mapping
    relation: Relation
    is_text: bool = False  # the values are text, and so are the staging tables
    columns: tuple[str, ...] = field(init=False)  # what is staged, in the tuple's order
    keys: tuple[str, ...] = field(init=False)  # the replica identity, in the tuple's order
    wanted: tuple[bool, ...] = field(init=False)  # per value of the tuple, up to the last that is staged
    is_key: tuple[bool, ...] = field(init=False)  # per value of the tuple, up to the last of the key
    places: tuple[tuple[bool, int], ...] = field(init=False)  # `wanted`, and the way to the next value if known
    key_of: KeyOf = field(init=False)
    key_place: slice | None = field(init=False)  # where every change of a row has its key, if that is the same place

    def __post_init__(self) -> None:
        names = [column.name for column in self.relation.columns]
        reads = {column.name for column in self.mapping.reads}
        set_once = object.__setattr__  # the dataclass is frozen; these follow from its two fields
        set_once(self, "columns", tuple(name for name in names if name in reads))
        set_once(self, "keys", tuple(name for name in names if name in self.mapping.source_key))
        set_once(self, "wanted", _flags(names, reads))
        set_once(self, "is_key", _flags(names, self.mapping.source_key))
        widths = {} if self.is_text else WIDTHS
        sizes = [widths.get(column.type_oid, 0) for column in self.relation.columns]
        steps = [size and 5 + size for size in sizes]
        set_once(self, "places", tuple(zip(self.wanted, steps, strict=False)))
        set_once(self, "key_of", _key_of(self.is_key))
        key_steps = steps[: len(self.is_key)]
        is_fixed = all(self.is_key) and all(key_steps)
        set_once(self, "key_place", slice(_FIRST, _FIRST + sum(key_steps)) if is_fixed else None)

    @property
    def value_kind(self) -> bytes:
        """The kind byte before a value that is there."""
        return b"t" if self.is_text else b"b"


def frame_rows(layout: Layout, messages: Iterable[bytes]) -> tuple[Rows, list[bytes]]:
    """The rows of these changes, and apart from them the changes in which a large value is missing."""
    head = len(layout.columns).to_bytes(2, "big")
    places, from_bytes, here = layout.places, int.from_bytes, TEXT if layout.is_text else BINARY
    pieces = [HEADER]
    partial: list[bytes] = []
    count = 0
    for message in messages:
        at = _FIRST
        row = [head]
        append = row.append
        for is_wanted, step in places:
            kind = message[at]
            if kind == here:
                end = at + (step or 5 + from_bytes(message[at + 1 : at + 5], "big"))
                if is_wanted:
                    append(message[at + 1 : end])
                at = end
            elif kind == NULL:
                if is_wanted:
                    append(_NULL)
                at += 1
            elif kind in VALUES:
                raise NotBinary
            elif is_wanted:
                partial.append(message)
                break
            else:
                at += 1
        else:
            pieces += row
            count += 1
    pieces.append(TRAILER)
    return Rows(b"".join(pieces), count), partial


def missing_columns(layout: Layout, message: bytes) -> tuple[str, ...]:
    """The staged columns whose large value did not change and is not in this change."""
    names = iter(layout.columns)
    missing = []
    for is_wanted, (kind, _) in zip(layout.wanted, _walk(message, len(layout.wanted)), strict=True):
        if is_wanted:
            name = next(names)
            if kind not in PRESENT:
                missing.append(name)
    return tuple(missing)


def frame_partial(layout: Layout, messages: Iterable[bytes]) -> Rows:
    """The rows of changes in which large values are missing, with NULL in their place."""
    return _frame(layout.wanted, messages)


def frame_keys(layout: Layout, messages: Iterable[bytes]) -> Rows:
    """Only the key columns of these changes: of rows that were deleted."""
    return _frame(layout.is_key, messages)


def key_values(layout: Layout, message: bytes) -> list[bytes]:
    """The values of the key, in the order of `keys`, as the log has them."""
    walked = _walk(message, len(layout.is_key))
    return [value[4:] for is_chosen, (_, value) in zip(layout.is_key, walked, strict=True) if is_chosen]


def _frame(chosen: Sequence[bool], messages: Iterable[bytes]) -> Rows:
    head = sum(chosen).to_bytes(2, "big")
    pieces = [HEADER]
    count = 0
    for message in messages:
        pieces.append(head)
        pieces += [
            value for is_chosen, (_, value) in zip(chosen, _walk(message, len(chosen)), strict=True) if is_chosen
        ]
        count += 1
    pieces.append(TRAILER)
    return Rows(b"".join(pieces), count)


def _walk(message: bytes, places: int) -> Iterable[tuple[int, bytes]]:
    """Kind and framed bytes of the first values of a change's tuple."""
    at = _FIRST
    for _ in range(places):
        kind = message[at]
        if kind in VALUES:
            end = at + 5 + int.from_bytes(message[at + 1 : at + 5], "big")
            yield kind, message[at + 1 : end]
            at = end
        else:
            yield kind, _NULL
            at += 1


def _flags(names: Sequence[str], chosen: Collection[str]) -> tuple[bool, ...]:
    last = max((place for place, name in enumerate(names) if name in chosen), default=-1)
    return tuple(name in chosen for name in names[: last + 1])


def _key_of(is_key: tuple[bool, ...]) -> KeyOf:
    """What finds the bytes of the key in a change; they are compared, never decoded."""
    if is_key == (True,):
        return _first_value
    places = len(is_key)

    def scattered(message: bytes) -> bytes:
        return b"".join(value for chosen, (_, value) in zip(is_key, _walk(message, places), strict=True) if chosen)

    def leading(message: bytes) -> bytes:
        at = _FIRST
        for _ in is_key:
            at += 5 + int.from_bytes(message[at + 1 : at + 5], "big")
        return message[_FIRST:at]

    return leading if all(is_key) else scattered


def _first_value(message: bytes) -> bytes:
    return message[_FIRST : _FIRST + 5 + int.from_bytes(message[_FIRST + 1 : _FIRST + 5], "big")]
