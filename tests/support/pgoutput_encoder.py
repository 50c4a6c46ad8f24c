"""Writes what pgoutput sends, version 1, so that decoding can be tried without a server."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

UNCHANGED = "unchanged"
Value = bytes | None | str  # str only as UNCHANGED


def framed(message: bytes, *, start: int = 0, end: int = 0, sent_us: int = 0) -> bytes:
    return pack("!cQQq", b"w", start, end, sent_us) + message


def begin(final_lsn: int, commit_us: int = 0, xid: int = 1) -> bytes:
    return framed(b"B" + pack("!QqI", final_lsn, commit_us, xid))


def commit(end_lsn: int, commit_us: int = 0, commit_lsn: int = 0) -> bytes:
    return framed(b"C\0" + pack("!QQq", commit_lsn or end_lsn - 1, end_lsn, commit_us))


def origin(name: str, lsn: int = 0) -> bytes:
    return framed(b"O" + pack("!Q", lsn) + name.encode() + b"\0")


def relation(
    identifier: int,
    name: str,
    columns: Sequence[tuple[str, int, int, bool]],
    schema: str = "public",
    identity: str = "d",
) -> bytes:
    body = b"R" + pack("!I", identifier) + schema.encode() + b"\0" + name.encode() + b"\0" + identity.encode()
    body += pack("!H", len(columns))
    for column, type_oid, modifier, is_key in columns:
        body += bytes((is_key,)) + column.encode() + b"\0" + pack("!Ii", type_oid, modifier)
    return framed(body)


def values(row: Sequence[Value]) -> bytes:
    body = pack("!H", len(row))
    for value in row:
        if value is None:
            body += b"n"
        elif isinstance(value, str):
            body += b"u"
        else:
            body += b"b" + pack("!I", len(value)) + value
    return body


def insert(identifier: int, row: Sequence[Value]) -> bytes:
    return framed(b"I" + pack("!I", identifier) + b"N" + values(row))


def update(identifier: int, row: Sequence[Value], old: Sequence[Value] | None = None, kind: bytes = b"K") -> bytes:
    before = b"" if old is None else kind + values(old)
    return framed(b"U" + pack("!I", identifier) + before + b"N" + values(row))


def delete(identifier: int, old: Sequence[Value], kind: bytes = b"K") -> bytes:
    return framed(b"D" + pack("!I", identifier) + kind + values(old))


def truncate(*identifiers: int) -> bytes:
    return framed(b"T" + pack("!IB", len(identifiers), 0) + b"".join(pack("!I", one) for one in identifiers))


def message(prefix: str, content: bytes, *, is_transactional: bool = True, lsn: int = 0) -> bytes:
    head = b"M" + bytes((is_transactional,)) + pack("!Q", lsn) + prefix.encode() + b"\0"
    return framed(head + pack("!I", len(content)) + content)


def keepalive(wal_end: int, *, wants_reply: bool = False, sent_us: int = 0) -> bytes:
    return pack("!cQqB", b"k", wal_end, sent_us, wants_reply)
