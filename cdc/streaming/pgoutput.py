"""Bytes of the logical replication protocol to messages, and back for what a client sends; pure.

PostgreSQL's pages protocol-replication and protocol-logicalrep-message-formats, protocol version 1. Every function
takes a whole CopyData payload: the stream's header of 25 bytes, then the message, whose kind is at `KIND`. Changes of
rows are not decoded here; `read_tuple` shows the parts of one where somebody must look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

XLOG_DATA, KEEPALIVE = 119, 107  # 'w', 'k': the first byte of a payload
KIND = 25  # where the message's own kind stands in an XLogData payload
BEGIN, COMMIT, ORIGIN, RELATION, TYPE, MESSAGE, TRUNCATE = b"BCORYMT"
INSERT, UPDATE, DELETE = b"IUD"
NEW, OLD_KEY, OLD_ROW = b"NKO"  # which tuple follows
NULL, UNCHANGED, TEXT, BINARY = b"nutb"  # the kind of one value in a tuple
RELATION_ID = slice(26, 30)  # of a change of a row
TUPLE_KIND = 30  # 'N', 'K' or 'O', then a tuple
TUPLE = 31  # the first tuple of a change

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_BEGIN = Struct("!QqI")
_COMMIT = Struct("!xQQq")
_KEEPALIVE = Struct("!xQqB")
_STATUS = Struct("!cQQQqB")
_RELATION_COLUMN = Struct("!Ii")


class Unchanged:
    """The mark of a large value that an update did not touch and the log does not carry."""


UNCHANGED_VALUE: Final = Unchanged()
Value = bytes | None | Unchanged


class NotBinary(ValueError):
    """A value came as text, because its type has no binary output."""


@dataclass(frozen=True)
class Begin:
    """A transaction begins; `final_lsn` is where its commit record starts."""

    final_lsn: int
    commit_us: int
    xid: int


@dataclass(frozen=True)
class Commit:
    """A transaction ends; `end_lsn` is the position that is confirmed once it is durable in the target."""

    commit_lsn: int
    end_lsn: int
    commit_us: int


@dataclass(frozen=True)
class RelationColumn:
    """A column as the stream describes it."""

    name: str
    type_oid: int
    modifier: int
    is_key: bool


@dataclass(frozen=True)
class Relation:
    """A table as the stream describes it, from here on in the log."""

    id: bytes
    schema: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]

    @property
    def table(self) -> str:
        """The name as mappings say it: with its schema only outside of public."""
        return self.name if self.schema == "public" else f"{self.schema or 'pg_catalog'}.{self.name}"


@dataclass(frozen=True)
class LogicalMessage:
    """What somebody put into the log with pg_logical_emit_message."""

    is_transactional: bool
    lsn: int
    prefix: str
    content: bytes


def begin(data: bytes) -> Begin:
    """Read a 'B'."""
    return Begin(*_BEGIN.unpack_from(data, KIND + 1))


def commit(data: bytes) -> Commit:
    """Read a 'C'."""
    return Commit(*_COMMIT.unpack_from(data, KIND + 1))


def final_lsn(data: bytes) -> int:
    """Only the position of a 'B', for the hot path."""
    return int.from_bytes(data[26:34], "big")


def end_lsn(data: bytes) -> int:
    """Only the position of a 'C', for the hot path."""
    return int.from_bytes(data[35:43], "big")


def origin(data: bytes) -> str:
    """Read the name in an 'O'."""
    return data[KIND + 9 : data.index(0, KIND + 9)].decode()


def relation(data: bytes) -> Relation:
    """Read an 'R'."""
    schema, at = _string(data, 30)
    name, at = _string(data, at)
    identity = chr(data[at])
    count = int.from_bytes(data[at + 1 : at + 3], "big")
    at += 3
    columns = []
    for _ in range(count):
        flags = data[at]
        column, at = _string(data, at + 1)
        type_oid, modifier = _RELATION_COLUMN.unpack_from(data, at)
        at += 8
        columns.append(RelationColumn(column, type_oid, modifier, bool(flags & 1)))
    return Relation(data[RELATION_ID], schema, name, identity, tuple(columns))


def message(data: bytes) -> LogicalMessage:
    """Read an 'M'."""
    lsn = int.from_bytes(data[27:35], "big")
    prefix, at = _string(data, 35)
    length = int.from_bytes(data[at : at + 4], "big")
    return LogicalMessage(bool(data[26] & 1), lsn, prefix, data[at + 4 : at + 4 + length])


def truncate(data: bytes) -> tuple[bytes, ...]:
    """The identifiers of the relations in a 'T'."""
    count = int.from_bytes(data[26:30], "big")
    return tuple(data[31 + 4 * place : 35 + 4 * place] for place in range(count))


def read_tuple(data: bytes, at: int) -> tuple[list[Value], int]:
    """The values of the tuple at `at`, binary or text, and where it ends."""
    count = int.from_bytes(data[at : at + 2], "big")
    at += 2
    values: list[Value] = []
    for _ in range(count):
        kind = data[at]
        if kind in (BINARY, TEXT):
            end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
            values.append(data[at + 5 : end])
            at = end
        else:
            values.append(None if kind == NULL else UNCHANGED_VALUE)
            at += 1
    return values, at


def write_tuple(values: list[Value], kind: bytes = b"b") -> bytes:
    """The tuple with these values, as the stream would send it: binary, or text with kind b"t"."""
    parts = [len(values).to_bytes(2, "big")]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif isinstance(value, Unchanged):
            parts.append(b"u")
        else:
            parts.append(kind + len(value).to_bytes(4, "big") + value)
    return b"".join(parts)


def keepalive(data: bytes) -> tuple[int, bool]:
    """The server's position in a keepalive, and whether it wants an answer now."""
    wal_end, _, reply = _KEEPALIVE.unpack_from(data)
    return wal_end, bool(reply)


def status(received: int, durable: int, now: datetime, *, wants_reply: bool = False) -> bytes:
    """A standby status update: what was received, and what is durable in the target."""
    now_us = (now - _EPOCH) // timedelta(microseconds=1)
    return _STATUS.pack(b"r", received, durable, durable, now_us, wants_reply)


def sent_us(data: bytes) -> int:
    """When the server sent this payload (XLogData or keepalive), in microseconds of its clock since 2000."""
    at = 17 if data[0] == XLOG_DATA else 9
    return int.from_bytes(data[at : at + 8], "big")


def as_datetime(microseconds: int) -> datetime:
    """A time of the protocol (microseconds since 2000) as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def format_lsn(position: int) -> str:
    """A position as PostgreSQL writes it, such as 0/16B3748."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def parse_lsn(text: str) -> int:
    """The position that PostgreSQL writes like this."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1
