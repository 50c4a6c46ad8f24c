"""A binary tuple of the stream to a row of COPY BINARY, without decoding a value.

The two formats differ by the kind byte before each value, by 'n' for NULL (COPY says length -1), and by 'u' for a large
value that did not change, for which COPY has no word. PostgreSQL's page sql-copy, section Binary Format.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from cdc.mapping import Mapping
from cdc.pgoutput import BINARY, NULL, TEXT, TUPLE, NotBinary, Relation

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_FIRST = TUPLE + 2  # the kind byte of the tuple's first value

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
    columns: tuple[str, ...] = field(init=False)  # what is staged, in the tuple's order
    keys: tuple[str, ...] = field(init=False)  # the replica identity, in the tuple's order
    wanted: tuple[bool, ...] = field(init=False)  # per value of the tuple, up to the last that is staged
    is_key: tuple[bool, ...] = field(init=False)  # per value of the tuple, up to the last of the key
    key_of: KeyOf = field(init=False)

    def __post_init__(self) -> None:
        names = [column.name for column in self.relation.columns]
        reads = {column.name for column in self.mapping.reads}
        set_once = object.__setattr__  # the dataclass is frozen; these follow from its two fields
        set_once(self, "columns", tuple(name for name in names if name in reads))
        set_once(self, "keys", tuple(name for name in names if name in self.mapping.source_key))
        set_once(self, "wanted", _flags(names, reads))
        set_once(self, "is_key", _flags(names, self.mapping.source_key))
        set_once(self, "key_of", _key_of(self.is_key))


def frame_rows(layout: Layout, messages: Iterable[bytes]) -> tuple[Rows, list[bytes]]:
    """The rows of these changes, and apart from them the changes in which a large value is missing."""
    head = len(layout.columns).to_bytes(2, "big")
    wanted, from_bytes = layout.wanted, int.from_bytes
    pieces = [HEADER]
    partial: list[bytes] = []
    count = 0
    for message in messages:
        at = _FIRST
        row = [head]
        append = row.append
        for is_wanted in wanted:
            kind = message[at]
            if kind == BINARY:
                end = at + 5 + from_bytes(message[at + 1 : at + 5], "big")
                if is_wanted:
                    append(message[at + 1 : end])
                at = end
            elif kind == NULL:
                if is_wanted:
                    append(_NULL)
                at += 1
            elif kind == TEXT:
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
            if kind not in (BINARY, NULL):
                missing.append(name)
    return tuple(missing)


def frame_partial(layout: Layout, messages: Iterable[bytes]) -> Rows:
    """The rows of changes in which large values are missing, with NULL in their place."""
    return _frame(layout.wanted, messages)


def frame_keys(layout: Layout, messages: Iterable[bytes]) -> Rows:
    """Only the key columns of these changes: of rows that were deleted."""
    return _frame(layout.is_key, messages)


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
        if kind == BINARY:
            end = at + 5 + int.from_bytes(message[at + 1 : at + 5], "big")
            yield kind, message[at + 1 : end]
            at = end
        elif kind == TEXT:
            raise NotBinary
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
