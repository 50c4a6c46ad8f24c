"""What a request in a dry run would have sent to others: a bounded record that holds no values."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

LISTED_MAX, TEXT_MAX, DIGEST_DIGITS = 16, 100, 16
_UNSAFE = re.compile(r"[^A-Za-z0-9._~:/{}\[\]-]")

# Tasks and the threads of Starlette and asyncio.to_thread take it with them from the request that started them.
_current: ContextVar[Effects | None] = ContextVar("effects", default=None)


@dataclass(frozen=True)
class Effect:
    """One call or event: where it would have gone, and the digest of its body; without one it was sent all the same."""

    kind: Literal["call", "event"]
    parameters: tuple[tuple[str, str], ...]
    digest: str = ""

    def __str__(self) -> str:
        """As an item of a structured header (RFC 9651, 3.1): no value can add an item or a line."""
        ended = (("digest", self.digest),) if self.digest else ()
        items = "".join(f';{name}="{_UNSAFE.sub("_", text)[:TEXT_MAX]}"' for name, text in (*self.parameters, *ended))
        return f"{self.kind};{'suppressed' if self.digest else 'passed'}{items}"


class Effects:
    """What one request would have sent, in order: LISTED_MAX effects in full, of those after them number and digest.

    Digests are SHA-256, or HMAC-SHA256 with `digest_key`, cut to DIGEST_DIGITS: equal bodies have equal ones. Without
    a key somebody who reads them can guess a short body.
    """

    def __init__(self, digest_key: bytes = b"") -> None:
        self._key = digest_key
        self._listed: list[Effect] = []
        self._more, self._rest = 0, hashlib.sha256()
        self._lock = threading.Lock()  # a service may call from several threads for one request

    def add(self, effect: Effect) -> None:
        """Record one more."""
        with self._lock:
            if len(self._listed) < LISTED_MAX:
                self._listed.append(effect)
            else:
                self._more += 1
                self._rest.update(f"{effect}\n".encode())

    def hasher(self) -> Any:
        """What takes a body piece by piece, for `digest`."""
        return hmac.new(self._key, digestmod="sha256") if self._key else hashlib.sha256()

    def digest_of(self, body: bytes) -> str:
        """The digest of a whole body."""
        hasher = self.hasher()
        hasher.update(body)
        return digest(hasher)

    def header(self, *, is_complete: bool = True) -> str:
        """The record as a structured list; `is_complete`: the request can add nothing any more."""
        with self._lock:
            items = [str(effect) for effect in self._listed]
            if self._more:
                items.append(f'more;count={self._more};digest="{digest(self._rest)}"')
        if not is_complete:
            items.append("incomplete")
        return ", ".join(items) or "none"


def digest(hasher: Any) -> str:
    """The digest of what a hasher took, as it stands in a record."""
    return str(hasher.hexdigest())[:DIGEST_DIGITS]


def current() -> Effects | None:
    """The record of the request that is running, if it is a dry run."""
    return _current.get()


def is_dry_run() -> bool:
    """Whether the request that is running must leave nothing: roll its transaction back."""
    return _current.get() is not None


def withholds(topic: str, payload: bytes) -> bool:
    """Whether an event must not be published, because this is a dry run; it is recorded then."""
    effects = _current.get()
    if effects is None:
        return False
    effects.add(Effect("event", (("topic", topic),), effects.digest_of(payload)))
    return True


@contextmanager
def recording(effects: Effects) -> Iterator[None]:
    """Make what runs inside a dry run with this record."""
    token = _current.set(effects)
    try:
        yield
    finally:
        _current.reset(token)
