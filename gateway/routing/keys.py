"""Pure: the key by which a canary is split, read from one request.

A JWT's payload is decoded without verification: the claim only chooses a bucket and grants nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence

from config.match import Match
from gateway.routing.conditions import Asked, cookie_value, field, query_value

KeyReader = Callable[[Asked, Sequence[bytes]], bytes | None]


def compile_key(kind: str, name: str, pattern: Match) -> KeyReader:
    """The reader of a key for one route; it takes the request and the segments of its path, None without the key."""
    if kind == "path":
        return _path(name, pattern)
    encoded = name.encode()
    lower = encoded.lower()
    readers: dict[str, KeyReader] = {
        "header": lambda asked, _: field(asked, lower) or None,
        "cookie": lambda asked, _: cookie_value(asked, encoded) or None,
        "query": lambda asked, _: query_value(asked.target, encoded) or None,
        "jwt": lambda asked, _: claim_of(field(asked, b"authorization"), name),
        "client": lambda asked, _: asked.client or None,
    }
    return readers[kind]


def _path(name: str, pattern: Match) -> KeyReader:
    for index, segment in enumerate(pattern.segments):
        if segment.text == name and segment.kind == "name":
            return lambda _, segments: segments[index] or None
        if segment.text == name and segment.kind == "rest":
            return lambda _, segments: b"/".join(segments[index:]) or None
    return lambda _asked, _segments: None


def claim_of(authorization: bytes | None, claim: str) -> bytes | None:
    """The claim of a bearer token as bytes, None where there is none that is text or a whole number."""
    if authorization is None or authorization[:7].lower() != b"bearer ":
        return None
    parts = authorization[7:].strip().split(b".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    value = payload.get(claim) if isinstance(payload, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value).encode()
