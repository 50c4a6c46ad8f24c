"""Forms to a tree: `application/x-www-form-urlencoded`, and multipart with a tree for each part."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from shadow.json_model import Document, Unreadable
from shadow.markup import Element

FIELDS_MAX, PARTS_MAX, HEADER_LINES_MAX = 10_000, 200, 20
_PARAMETER = re.compile(r';\s*([A-Za-z0-9_*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)')

Content = Callable[[bytes, str], object]
"""The body of a part and its Content-Type to what is compared: a tree, a text, or bytes. Unreadable where it fails."""


def read_form(body: bytes) -> Document | Unreadable:
    """The fields by name; one that occurs more than once is a list. The order of different names does not matter."""
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=FIELDS_MAX,
            errors="strict",
        )  # fmt: skip
    except UnicodeDecodeError:
        return Unreadable("malformed_form" if not body.isascii() else "invalid_utf8")
    except ValueError:
        return Unreadable("malformed_form")
    tree = Element()
    for name, value in fields:
        tree.add(name, value)
    return Document(tree, is_markup=True)


def read_multipart(body: bytes, content_type: str, content: Content) -> Document | Unreadable:
    """The parts by their names, or in a list where they have none; the boundary itself makes no difference."""
    boundary = parameters(content_type).get("boundary", "")
    if not 0 < len(boundary) <= 70 or not boundary.isascii():
        return Unreadable("malformed_multipart")
    parts = _parts(body, boundary.encode())
    if parts is None or len(parts) > PARTS_MAX:
        return Unreadable("malformed_multipart")
    tree = Element()
    for raw in parts:
        part = _part(raw, content)
        if isinstance(part, Unreadable):
            return part
        tree.add(*part)
    tree.order = tuple(tree)
    return Document(tree, is_markup=True)


def _parts(body: bytes, boundary: bytes) -> list[bytes] | None:
    # RFC 2046, 5.1.1: the delimiter is at the start of a line; the line break before it belongs to it.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        return None
    inner = [piece.lstrip(b" \t") for piece in pieces[1:-1]]
    return [piece[2:] for piece in inner] if all(piece.startswith(b"\r\n") for piece in inner) else None


def _part(raw: bytes, content: Content) -> tuple[str, Element] | Unreadable:
    head, blank, body = (b"\r\n" + raw).partition(b"\r\n\r\n")
    if not blank:
        return Unreadable("malformed_multipart")
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n")[1 : HEADER_LINES_MAX + 1]:
        name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
        if not colon:
            return Unreadable("malformed_multipart")
        headers[name.strip().lower()] = value.strip()
    disposition = parameters(headers.get("content-disposition", ""))
    media = headers.get("content-type", "text/plain")
    inside = content(body, media)
    if isinstance(inside, Unreadable):
        return inside
    members = {"@type": media.partition(";")[0].strip().lower(), "content": inside}
    if "filename" in disposition:
        members["@filename"] = disposition["filename"]
    return disposition.get("name", "part"), Element(members)


def parameters(value: str) -> dict[str, str]:
    """The parameters of a header such as Content-Type, names in lower case, quotes taken off."""
    found: dict[str, str] = {}
    for name, text in _PARAMETER.findall(value):
        found[name.lower()] = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
    return found
