"""Pure: what an Idempotency-Key is, which request it belongs to, and what a request under a known key is answered.

Rules: draft-ietf-httpapi-idempotency-key-header-07 for the key and the statuses 400, 409 and 422; Stripe's for what is
kept: the first answer, errors of the server included. An answer that says "not done, try again" is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

import msgspec

from gateway.wire.headers import Fields

FIELD: Final = b"idempotency-key"
# A structured-field string without escapes, or the same bare, as most clients send it.
_KEY: Final = re.compile(
    rb'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,255})'
).fullmatch
_NOT_DONE: Final = frozenset({401, 403, 407, 429})
_UNAVAILABLE: Final = 503

State = Literal["begun", "answered", "unknown"]


def key_of(fields: Fields) -> bytes | None:
    """The request's key, None without one. Raises ValueError where it is repeated, malformed or too long."""
    values = [value for name, value in fields if name.lower() == FIELD]
    if not values:
        return None
    found = _KEY(values[0].strip(b" \t"))
    if found is None or len(values) > 1:
        raise ValueError("not one key of 1 to 255 visible characters")
    return found[1] or found[2]


def digest_of(*parts: bytes) -> bytes:
    """SHA-256 over parts, each with its length, so that none can borrow a byte of another."""
    return sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


class Fingerprint:
    """Which request this is: method, host, target and body, hashed while the body passes by."""

    __slots__ = ("_hash",)

    def __init__(self, method: bytes, host: bytes, target: bytes) -> None:
        self._hash = sha256(digest_of(method, host.lower(), target))

    def body(self, data: bytes) -> None:
        """The next piece."""
        self._hash.update(data)

    def digest(self) -> bytes:
        """The fingerprint of all that was seen."""
        return self._hash.digest()


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a request that was sent: who it was, and the answer as far as it is known and small enough."""

    caller: bytes
    fingerprint: bytes
    status: int = 0
    reason: bytes | None = None
    fields: list[tuple[bytes, bytes]] = msgspec.field(default_factory=list)
    body: bytes | None = None  # None: larger than what is kept


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


def packed(kept: Kept) -> bytes:
    """The form that is sealed and stored."""
    return _encode(kept)


def unpacked(data: bytes) -> Kept:
    """The reverse. Raises msgspec.MsgspecError."""
    return _decode(data)


@dataclass(frozen=True, slots=True)
class Record:
    """What the store has under a key: its state, whether its owner still lives, and what was sealed."""

    state: State
    is_alive: bool
    sealed: bytes | None


def refusal_of(record: Record) -> str | None:
    """Why a request under a key that is taken is refused without being looked at; None if there is an answer.

    A request that was begun by a worker that lives is in progress. If that worker is gone, nobody knows what became of
    the request, and it stays so: it is never sent a second time.
    """
    if record.state == "begun" and record.is_alive:
        return "idempotency_in_progress"
    return None if record.state == "answered" and record.sealed else "idempotency_unknown"


def mismatch_of(kept: Kept, caller: bytes, fingerprint: bytes) -> str | None:
    """Why the stored answer is not this request's; None if it is."""
    if kept.caller != caller or kept.fingerprint != fingerprint:
        return "idempotency_key_reused"
    return "idempotency_answer_gone" if kept.body is None else None


def was_not_done(status: int, names: Iterable[bytes]) -> bool:
    """Whether an answer says that the request was not carried out: then the same key may be used again.

    Authentication and rate limits are checked before anything is done; 503 counts only with Retry-After, because
    without it a server may have failed half way.
    """
    if status == _UNAVAILABLE:
        return any(name.lower() == b"retry-after" for name in names)
    return status in _NOT_DONE
