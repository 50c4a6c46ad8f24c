"""Pure: the `when` of a route, compiled to tests of one request.

A test answers True, False, or None: not known before more of the body has been seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

from config.model import BodyCondition, When

PEEK_BYTES_MAX: Final = 16 << 10
Fields = list[tuple[bytes, bytes]]


class Asked(Protocol):
    """What routing looks at: the request as it was parsed."""

    method: bytes
    target: bytes
    fields: Fields
    peeked: bytes
    has_all: bool  # `peeked` is the whole body

    @property
    def client(self) -> bytes:
        """The client's address."""


Condition = Callable[[Asked], bool | None]
_ELEMENT: Final = re.compile(rb"<(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)[^<>]*?(/?)>")


def field(asked: Asked, lower: bytes) -> bytes | None:
    """The first field of that lower-case name."""
    for name, value in asked.fields:
        if name.lower() == lower:
            return value
    return None


def query_value(target: bytes, name: bytes) -> bytes | None:
    """The first value of that name in the query, decoded."""
    query = target.partition(b"?")[2]
    for part in query.split(b"&") if query else ():
        key, _, value = part.partition(b"=")
        if unquote_to_bytes(key.replace(b"+", b" ")) == name:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return None


def cookie_value(asked: Asked, name: bytes) -> bytes | None:
    """The first cookie of that name, over all Cookie lines."""
    for field_name, value in asked.fields:
        if field_name.lower() != b"cookie":
            continue
        for part in value.split(b";"):
            key, _, content = part.strip(b" \t").partition(b"=")
            if key == name:
                return content
    return None


def compile_when(when: When) -> tuple[Condition, ...]:
    """The conditions of one route, those on the head first."""
    tests: list[Condition] = []
    if when.host is not None:
        tests.append(_host(when.host))
    tests += [_header(name, value) for name, value in when.header.items()]
    tests += [_query(name, value) for name, value in when.query.items()]
    tests += [_cookie(name, value) for name, value in when.cookie.items()]
    if when.soap is not None:
        tests.append(_soap(when.soap))
    tests += [_form(name, value) for name, value in when.form.items()]
    if when.body is not None:
        tests.append(_body(when.body))
    return tuple(tests)


def holds(conditions: tuple[Condition, ...], asked: Asked) -> bool | None:
    """Whether all hold; None if that depends on more of the body."""
    answer: bool | None = True
    for condition in conditions:
        one = condition(asked)
        if one is False:
            return False
        if one is None:
            answer = None
    return answer


def _host(wanted: str) -> Condition:
    host = wanted.lower().encode()

    def test(asked: Asked) -> bool:
        value = (field(asked, b"host") or b"").lower()
        return host in (value, re.sub(rb":[0-9]+\Z", b"", value))

    return test


def _header(name: str, wanted: str) -> Condition:
    lower, value = name.lower().encode(), wanted.encode()
    return lambda asked: any(n.lower() == lower and v.strip(b" \t") == value for n, v in asked.fields)


def _query(name: str, wanted: str) -> Condition:
    key, value = name.encode(), wanted.encode()
    return lambda asked: query_value(asked.target, key) == value


def _cookie(name: str, wanted: str) -> Condition:
    key, value = name.encode(), wanted.encode()
    return lambda asked: cookie_value(asked, key) == value


def _soap(wanted: str) -> Condition:
    """SOAPAction, or `action` in the Content-Type (SOAP 1.2), or the first element in the Body."""
    operation = wanted.encode()

    def test(asked: Asked) -> bool | None:
        action = _soap_action(asked)
        if action and operation in (action, re.split(rb"[/#:]", action)[-1]):
            return True
        element = first_body_element(asked.peeked)
        if element is None and not _is_final(asked):
            return None
        return element == operation

    return test


def _soap_action(asked: Asked) -> bytes:
    action = (field(asked, b"soapaction") or b"").strip(b' \t"')
    if action:
        return action
    found = re.search(rb'action="?([^";]+)"?', field(asked, b"content-type") or b"")
    return found[1] if found else b""


@lru_cache(maxsize=4)  # every operation of one SOAP endpoint asks for the same body in turn
def first_body_element(peeked: bytes) -> bytes | None:
    """The local name of the first element inside the SOAP Body, if it has been seen."""
    text = re.sub(rb"<!--.*?-->", b"", peeked, flags=re.DOTALL)
    inside = False
    for element in _ELEMENT.finditer(text):
        if inside:
            return element[2]
        inside = element[2] == b"Body"
    return None


def _form(name: str, wanted: str) -> Condition:
    def test(asked: Asked) -> bool | None:
        complete = asked.peeked if _is_final(asked) else asked.peeked.rpartition(b"&")[0]
        pairs = parse_qsl(complete.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10_000)
        for key, value in pairs:
            if key == name:
                return value == wanted
        return False if _is_final(asked) else None

    return test


def _body(condition: BodyCondition) -> Condition:
    start = condition.offset
    wanted = condition.equals.encode(condition.codepage)
    end = start + len(wanted)

    def test(asked: Asked) -> bool | None:
        if len(asked.peeked) < end and not _is_final(asked):
            return None
        return asked.peeked[start:end] == wanted

    return test


def _is_final(asked: Asked) -> bool:
    return asked.has_all or len(asked.peeked) >= PEEK_BYTES_MAX
