"""Text, CSV and HTML to trees: lines, rows, and what a person reads on a page."""

from __future__ import annotations

import csv
import io
from typing import Any

from lxml import etree

from shadow.json_model import Document, Unreadable
from shadow.rules import Form

ROWS_MAX, COLUMNS_MAX, FIELD_CHARACTERS_MAX = 200_000, 2_000, 1 << 20
_HIDDEN = frozenset({"script", "style", "template", "head"})
_ATTRIBUTES = {
    "a": ("href",), "img": ("src", "alt"), "form": ("action", "method"), "input": ("type", "name", "value", "checked"),
    "option": ("value", "selected"), "button": ("name", "value"), "iframe": ("src",), "link": ("href",),
}  # fmt: skip
_INLINE = frozenset({
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "em", "font", "i", "kbd", "label", "mark", "q", "s", "samp",
    "small", "span", "strong", "sub", "sup", "time", "u", "var",
})  # fmt: skip


def read_lines(text: str, form: Form) -> Document:
    """The lines of a text, as the rules for lines have them; the notes say which rules changed something."""
    notes = set()
    if form.any_line_ends:
        plain = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
        notes |= {"line_ends"} if plain != text else set()
        text = plain
    lines = text.split("\n")
    if form.trims_lines:
        trimmed = [line.strip() for line in lines]
        notes |= {"trim"} if trimmed != lines else set()
        lines = trimmed
    kept = [line for line in lines if not _is_left_out(line, form)]
    if len(kept) != len(lines):
        notes.add("ignored")
    return Document(kept, notes=frozenset(notes))


def _is_left_out(line: str, form: Form) -> bool:
    if form.skips_blank_lines and not line.strip():
        return True
    return any(pattern.search(line) for pattern in form.lines_ignored)


def read_csv(text: str, form: Form) -> Document | Unreadable:
    """The rows: dicts by the names of the columns, or lists where there is no header. A row of another length than the
    first is malformed (RFC 4180, 2.4)."""
    csv.field_size_limit(FIELD_CHARACTERS_MAX)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=form.delimiter, quotechar=form.quote, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if len(rows) >= ROWS_MAX or len(row) > COLUMNS_MAX:
                return Unreadable("too_large")
            rows.append(row)
    except csv.Error:
        return Unreadable("malformed_csv")
    if any(len(row) != len(rows[0]) for row in rows):
        return Unreadable("ragged_csv")
    if not form.has_header or not rows:
        return Document(rows)
    names = rows[0]
    if len(set(names)) != len(names):
        return Unreadable("duplicate_columns")
    if len(rows) == 1:
        return Document({"columns": names})
    return Document([dict(zip(names, row, strict=True)) for row in rows[1:]])


def read_html(body: bytes, charset: str) -> Document | Unreadable:
    """What a person reads, line by line, and beside it where links and forms lead and what fields hold."""
    parser = etree.HTMLParser(
        encoding=charset or "utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser) if body.strip() else None
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return Unreadable("malformed_html")
    lines: list[str] = []
    if root is not None:
        _read_page(root, lines)
    joined = (" ".join(line.split()) for line in "".join(lines).split("\n"))
    return Document([line for line in joined if line])


def _read_page(root: Any, out: list[str]) -> None:
    """Append the texts of the page in order. A walk over events, so that depth costs no recursion."""
    hidden = 0
    for event, node in etree.iterwalk(root, events=("start", "end")):
        tag = node.tag
        if event == "start":
            hidden += tag in _HIDDEN
            if not hidden:
                out.append("" if tag in _INLINE else "\n")
                out.extend(
                    f"\n[{tag} {name}={node.get(name)}]\n" for name in _ATTRIBUTES.get(tag, ()) if node.get(name)
                )
                out.append(_spaced(node.text))
            continue
        if tag == "title" and node.text:
            out.append(f"\n{_spaced(node.text)}\n")
        if not hidden and tag not in _INLINE:
            out.append("\n")
        hidden -= tag in _HIDDEN
        if not hidden:
            out.append(_spaced(node.tail))


def _spaced(text: str | None) -> str:
    return text.replace("\n", " ").replace("\r", " ") if text else ""
