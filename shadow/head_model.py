"""What of an answer's head is compared: media type, headers that mean something, cookies by names and attributes.

The value of a cookie is a session of its side, so it is not compared; that it is set, that it is taken back, and every
attribute are. Of `Expires` only whether it takes the cookie back (a year long ago), because it is a time of its side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from shadow.observation import Observation

HEADERS_COMPARED = frozenset({"content-language", "content-disposition", "location"})
_LONG_AGO = re.compile(r"\b(?:19\d\d|2000)\b")


class Head(msgspec.Struct, frozen=True, gc=False):
    """The parts of the head that decide how an answer is read and compared; names of headers in lower case."""

    media: str
    charset: str
    encoding: str
    others: dict[str, str]
    cookies: dict[str, dict[str, str]] = {}
    content_type: str = ""

    def read_alike(self, other: Head) -> bool:
        """Whether equal bytes under both heads are equal answers."""
        return self.encoding == other.encoding and self.content_type == other.content_type


def head_of(answer: Observation, also: frozenset[str] = frozenset()) -> Head:
    """The head of an answer; `also` names headers that are compared beside the usual ones."""
    wanted = HEADERS_COMPARED | also if also else HEADERS_COMPARED
    others: dict[str, str] = {}
    single: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in answer.headers:
        lowered = name.lower()
        if lowered in ("content-type", "content-encoding"):
            single[lowered] = value.strip()
        elif lowered == "set-cookie":
            cookies.append(value)
        elif lowered in wanted:
            others[lowered] = f"{others[lowered]}, {value.strip()}" if lowered in others else value.strip()
    content_type = single.get("content-type", "")
    media, _, parameters = content_type.partition(";")
    encoding = single.get("content-encoding", "identity").lower()
    head = media.strip().lower(), _charset(parameters) if parameters else "", encoding, others
    return Head(*head, read_cookies(cookies) if cookies else {}, content_type)


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def read_cookies(lines: Iterable[str]) -> dict[str, dict[str, str]]:
    """Set-Cookie lines to attributes by the cookie's name (RFC 6265, 5.2); a later line replaces an earlier one."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        pair, *attributes = line.split(";")
        name, _, value = pair.partition("=")
        found[name.strip()] = {"value": "set" if value.strip() else "empty", **_attributes(attributes)}
    return found


def _attributes(attributes: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        lowered = name.strip().lower()
        if lowered == "expires":
            found[lowered] = "past" if _LONG_AGO.search(value) else "set"
        elif lowered:
            found[lowered] = value.strip().lower() if lowered in ("samesite", "domain") else value.strip()
    return found
