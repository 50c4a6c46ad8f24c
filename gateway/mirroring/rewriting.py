"""Pure: a request for one side as the other side would have got it, with that side's ids in the places that carry them.

Nothing else changes: numbers keep their spelling, and what cannot be read with certainty is not sent at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote_plus, unquote_to_bytes

import msgspec

from config.paths import Pattern
from gateway.routing.carriers import Carriers
from gateway.wire.segments import segments_of
from shadow.correspondence import Id, is_id

Message = tuple[bytes, bytes]
Partner = Callable[[str, str], Id | None]
"""By what it is an id of, and how it is spelt: the other side's id."""

UNKNOWN: Final = "id_unknown"
UNREADABLE: Final = "id_unreadable"
_LENGTH = re.compile(rb"(?i)(\r\ncontent-length:)[^\r\n]*")
_ENCODED = re.compile(rb"(?i)\r\ncontent-encoding:")
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])


class NotRewritten(Exception):
    """The request cannot be sent to the other side; says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def rewritten(message: Message, carriers: Carriers, partner: Partner) -> Message:
    """The head and the body (not framed) with the other side's ids. Raises NotRewritten."""
    head, body = message
    method, _, rest = head.partition(b" ")
    target, _, rest = rest.partition(b" ")
    path, mark, query = target.partition(b"?")
    path = _path(path, carriers, partner)
    if query and carriers.parameters:
        query = b"&".join([_parameter(one, carriers, partner) for one in query.split(b"&")])
    changed = _body(head, body, carriers, partner) if body and carriers.members else body
    if len(changed) != len(body):
        rest = _LENGTH.sub(rb"\g<1> %d" % len(changed), rest, count=1)
    return b"%b %b%b%b %b" % (method, path, mark, query, rest), changed


def _path(path: bytes, carriers: Carriers, partner: Partner) -> bytes:
    if not carriers.segments:
        return path
    parts, seen = path.split(b"/"), segments_of(path)
    if seen is None or len(seen) != len(parts) - 1:  # spelt so that nobody can say which segment is which
        raise NotRewritten(UNREADABLE)
    for index, name in carriers.segments:
        parts[index + 1] = _spelt(_known(partner, name, _text(seen[index])))
    return b"/".join(parts)


def _parameter(one: bytes, carriers: Carriers, partner: Partner) -> bytes:
    name, equals, value = one.partition(b"=")
    what = carriers.parameters.get(unquote_to_bytes(name.replace(b"+", b" ")))
    if what is None or not value:
        return one
    return name + equals + _spelt(_known(partner, what, unquote_plus(value.decode("latin-1"))))


def _body(head: bytes, body: bytes, carriers: Carriers, partner: Partner) -> bytes:
    if _ENCODED.search(head):
        raise NotRewritten(UNREADABLE)
    for steps, name in carriers.members:
        body = _member(body, steps, lambda value, name=name: _known(partner, name, str(value)))  # type: ignore[misc]
    return body


def _member(body: bytes, steps: Pattern, other: Callable[[Id], Id]) -> bytes:
    """A JSON text with another id at a place, if it has one there; what is no JSON has no ids."""
    kind = body.lstrip(b" \t\r\n")[:1]
    try:
        if not steps:
            value = msgspec.json.decode(body)
            return msgspec.json.encode(other(value)) if is_id(value) else body
        step, below = steps[0], steps[1:]
        if kind == b"{" and not step.is_index:
            members = _object.decode(body)
            chosen = [name for name in members if step.fits(name)]
            inner = {name: msgspec.Raw(_member(bytes(members[name]), below, other)) for name in chosen}
            return msgspec.json.encode(members | inner) if inner else body
        if kind == b"[" and step.is_index:
            items = _array.decode(body)
            numbers = [number for number in range(len(items)) if step.fits(number)]
            for number in numbers:
                items[number] = msgspec.Raw(_member(bytes(items[number]), below, other))
            return msgspec.json.encode(items) if numbers else body
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    return body


def _known(partner: Partner, name: str, spelt: str) -> Id:
    found = partner(name, spelt)
    if found is None:
        raise NotRewritten(UNKNOWN)
    return found


def _text(segment: bytes) -> str:
    return segment.decode("utf-8", "surrogateescape")


def _spelt(value: Id) -> bytes:
    return quote(str(value), safe="-._~").encode()
