"""What the body of an answer is: by its content type a tree, or bytes that no reader knows.

Nothing guesses: a body that says JSON and is not JSON is unreadable, whatever else it may look like. `READERS` is the
table of media types; the first that fits reads.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any

import msgspec

from shadow.form_model import read_form, read_multipart
from shadow.head_model import Head
from shadow.json_model import Document, Unreadable, read_json
from shadow.rules import Form
from shadow.text_model import read_csv, read_html, read_lines
from shadow.xml_model import read_xml

Decoder = Callable[[bytes], object]
"""Bytes of a fixed-width answer to its record as a dict. A list of findings instead, or an exception of the family
ValueError, LookupError, ArithmeticError or TypeError, says that the bytes do not fit the layout."""

Reader = Callable[[bytes, Head, Form], Document | Unreadable]

CHARSETS = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "utf-16"})
JSON_LINES = frozenset({"application/x-ndjson", "application/jsonl", "application/json-lines"})
JSON_LINES_MAX = 100_000
TEXT_ALSO = frozenset({"application/javascript", "application/x-javascript", "application/yaml", "application/sql"})


def is_json(media: str) -> bool:
    """application/json, text/json, and anything that ends in +json (RFC 6839)."""
    return media in ("application/json", "text/json") or media.endswith("+json")


def is_xml(media: str) -> bool:
    """application/xml, text/xml, and anything that ends in +xml, but for pages."""
    return media.endswith(("/xml", "+xml")) and media != "application/xhtml+xml"


def is_html(media: str) -> bool:
    """Pages."""
    return media in ("text/html", "application/xhtml+xml")


def is_text(media: str) -> bool:
    """Text that people read line by line."""
    return media.startswith("text/") or media in TEXT_ALSO


def read_tree(body: bytes, head: Head, form: Form, decode: Decoder | None) -> Document | Unreadable | None:
    """The tree of a body: by its content type, else by the route's layout if it has one; None where none fits."""
    if is_json(head.media):
        return read_json(body)
    for fits, read in READERS:
        if fits(head.media):
            return read(body, head, form)
    return read_record(body, decode) if decode is not None else None


def _text(body: bytes, head: Head, form: Form) -> Document | Unreadable:
    text = read_text(body, head.charset)
    return text if isinstance(text, Unreadable) else read_lines(text, form)


def _csv(body: bytes, head: Head, form: Form) -> Document | Unreadable:
    text = read_text(body, head.charset)
    return text if isinstance(text, Unreadable) else read_csv(text, form)


def _json_lines(body: bytes, _: Head, __: Form) -> Document | Unreadable:
    members: list[Any] = []
    for line in body.splitlines():
        if len(members) >= JSON_LINES_MAX:
            return Unreadable("too_large")
        if line.strip():
            document = read_json(line)
            if isinstance(document, Unreadable):
                return document
            members.append(document.tree)
    return Document(members)


def _multipart(body: bytes, head: Head, form: Form) -> Document | Unreadable:
    def content(part: bytes, content_type: str) -> object:
        media, _, parameters = content_type.partition(";")
        inner = msgspec.structs.replace(head, media=media.strip().lower(), charset="", content_type=content_type)
        if "charset=" in parameters.lower():
            inner = msgspec.structs.replace(inner, charset=parameters.lower().partition("charset=")[2].strip(' "'))
        if inner.media.startswith("multipart/"):
            return part  # one level is read; what is inside is compared by its bytes
        read = read_tree(part, inner, form, None)
        if isinstance(read, Document):
            return read.tree[0] if inner.media == "text/plain" and len(read.tree) == 1 else read.tree
        return part if read is None else read

    return read_multipart(body, head.content_type, content)


READERS: tuple[tuple[Callable[[str], bool], Reader], ...] = (
    (is_xml, lambda body, head, _: read_xml(body, head.charset)),
    (is_html, lambda body, head, _: read_html(body, head.charset)),
    (lambda media: media == "application/x-www-form-urlencoded", lambda body, _, __: read_form(body)),
    (lambda media: media in ("multipart/form-data", "multipart/mixed", "multipart/related"), _multipart),
    (lambda media: media in ("text/csv", "application/csv"), _csv),
    (lambda media: media in JSON_LINES, _json_lines),
    (is_text, _text),
)


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
