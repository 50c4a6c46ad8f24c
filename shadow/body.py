"""What the body of an answer is: by its content type and encoding a tree, text, or bytes.

A compressed body is decompressed here, in a copy and only up to a bound. Nothing guesses: a body that says JSON and is
not JSON is unreadable, whatever else it may look like.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from shadow.json_model import BODY_BYTES_MAX, Document, Unreadable, read_json
from shadow.observation import Observation

Decoder = Callable[[bytes], object]
"""Bytes of a fixed-width answer to its record as a dict. A list of findings instead, or an exception of the family
ValueError, LookupError, ArithmeticError or TypeError, says that the bytes do not fit the layout."""

CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "utf-16"})


class Head(msgspec.Struct, frozen=True, gc=False):
    """The parts of the head that decide how an answer is read and compared; names of headers in lower case."""

    media: str
    charset: str
    encoding: str
    others: dict[str, str]


HEADERS_COMPARED = frozenset({"content-language", "content-disposition", "location"})
_READ = HEADERS_COMPARED | {"content-type", "content-encoding"}


def head_of(answer: Observation) -> Head:
    """The head of an answer, with the content type split into media type and charset."""
    found = {}
    for name, value in answer.headers:
        lowered = name.lower()
        if lowered in _READ:
            found[lowered] = value.strip()
    media, _, parameters = found.pop("content-type", "").partition(";")
    encoding = found.pop("content-encoding", "identity").lower()
    return Head(media.strip().lower(), _charset(parameters), encoding, found)


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def is_json(media: str) -> bool:
    """application/json, text/json, and anything that ends in +json (RFC 6839)."""
    return media in ("application/json", "text/json") or media.endswith("+json")


def is_text(media: str) -> bool:
    """Text that people read, XML and forms included."""
    if media.startswith("text/") or media.endswith(("+xml", "/xml")):
        return True
    return media in ("application/x-www-form-urlencoded", "application/javascript")


def unpacked(body: bytes, encoding: str) -> bytes | Unreadable:
    """The body without its content encoding, at most BODY_BYTES_MAX bytes of it."""
    if encoding in ("", "identity"):
        return body if len(body) <= BODY_BYTES_MAX else Unreadable("too_large")
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return Unreadable("unknown_encoding")
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        inflater = zlib.decompressobj(window)
        try:
            plain = inflater.decompress(body, BODY_BYTES_MAX)
        except zlib.error:
            continue
        if inflater.unconsumed_tail:
            return Unreadable("too_large")
        return plain if inflater.eof else Unreadable("malformed_encoding")
    return Unreadable("malformed_encoding")


def read_tree(body: bytes, head: Head, decode: Decoder | None) -> Document | Unreadable | None:
    """The tree of a body: by the route's layout if it has one and the body is not JSON; None where there is none."""
    if is_json(head.media):
        return read_json(body)
    return read_record(body, decode) if decode is not None and not is_text(head.media) else None


def read_record(body: bytes, decode: Decoder) -> Document | Unreadable:
    """The record of a fixed-width body by an injected decoder."""
    try:
        record: Any = decode(body)
    except (ValueError, LookupError, ArithmeticError, TypeError):
        return Unreadable("undecodable")
    return Document(record, b"") if isinstance(record, dict) else Unreadable("undecodable")


def read_text(body: bytes, charset: str) -> str | Unreadable:
    """The text of a body in its charset (UTF-8 without one)."""
    try:
        name = codecs.lookup(charset or "utf-8").name
    except LookupError:
        return Unreadable("unknown_charset")
    if name not in CHARSETS:
        return Unreadable("unknown_charset")
    try:
        return body.decode(name)
    except UnicodeDecodeError:
        return Unreadable("invalid_utf8" if name == "utf-8" else "invalid_text")
