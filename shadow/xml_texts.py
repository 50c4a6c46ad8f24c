"""Whether two XML documents have one markup, so that only texts of leaves differ: the second need not be parsed then.

Answers of one interface differ in a text or two; the rest is the same bytes, but for the prefixes that each side calls
its namespaces. So the candidate's prefixes are renamed to the control's, and from one difference of the bytes to the
next the documents are the same elements; each must be within the text of a leaf. Whatever is not as plain as that
(attributes, comments, CDATA, a default namespace, other encodings) is for the parser. Linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from shadow.json_model import BODY_BYTES_MAX
from shadow.xml_model import encoding_of

NAMESPACES_MAX = 16
STEP_BYTES = 256

Texts = dict[int, str]
"""The candidate's texts by the number of the element, in the order of the document."""

_DECLARATION = re.compile(rb"xmlns:([A-Za-z_][A-Za-z0-9_.-]*)=(\"[^\"<>&]*\"|'[^'<>&]*')")
_XML_DECLARATION = re.compile(rb"<\?xml [^<>]*\?>\s*")
_PLAIN_ENCODINGS = frozenset({"utf-8", "utf8"})


def other_texts(control: bytes, candidate: bytes, charsets: tuple[str, str]) -> Texts | None:
    """Where the candidate is the control with other texts; None if that cannot be told from the bytes. The control is
    well-formed, so the candidate is, too, if there is an answer."""
    if len(candidate) > BODY_BYTES_MAX:
        return None
    ours, theirs = _plain(control, charsets[0]), _plain(candidate, charsets[1])
    renamed = None if ours is None or theirs is None else _with_prefixes_of(ours, theirs)
    if ours is None or renamed is None:
        return None
    texts: Texts = {}
    for number, piece in _differing_leaves(ours, renamed):
        text = None if piece is None else _read(piece)
        if text is None:
            return None
        texts[number] = text
    return texts


def _plain(body: bytes, charset: str) -> bytes | None:
    """The body without its XML declaration; None if it has comments, CDATA, instructions, or another encoding."""
    if encoding_of(body, charset) not in _PLAIN_ENCODINGS:
        return None
    declaration = _XML_DECLARATION.match(body)
    body = body[declaration.end() :] if declaration else body
    # One character is sought ten times as quickly as two are.
    is_plain = not (b"?" in body and b"<?" in body) and not (b"!" in body and b"<!" in body)
    return body if is_plain else None


def _with_prefixes_of(control: bytes, candidate: bytes) -> bytes | None:
    """The candidate with the control's prefixes; None where they do not belong together one by one."""
    ours, theirs = _prefixes(control), _prefixes(candidate)
    if ours is None or theirs is None or ours.keys() != theirs.keys():
        return None
    for uri, their_prefix in theirs.items():
        prefix = ours[uri]
        if prefix == their_prefix:
            continue
        if prefix in theirs.values() or b"<%b:" % prefix in candidate or b"</%b:" % prefix in candidate:
            return None
        for spelt in (b"<%b:", b"</%b:", b" xmlns:%b="):
            candidate = candidate.replace(spelt % their_prefix, spelt % prefix)
    return candidate


def _prefixes(body: bytes) -> dict[bytes, bytes] | None:
    """The prefix of each namespace; None unless each is declared once and with a prefix, and there is no attribute."""
    found = list(_DECLARATION.finditer(body))
    if not len(found) == body.count(b"xmlns") == body.count(b"=") or len(found) > NAMESPACES_MAX:
        return None
    prefixes = {one[2][1:-1]: one[1] for one in found}
    are_single = len(prefixes) == len(set(prefixes.values())) == len(found)
    in_tags = all(body.rfind(b"<", 0, one.start()) > body.rfind(b">", 0, one.start()) for one in found)
    return prefixes if are_single and in_tags else None


def _differing_leaves(control: bytes, candidate: bytes) -> Iterator[tuple[int, bytes | None]]:
    """The number of each element whose text differs and the candidate's text; None for what is not a leaf's text."""
    at = other = known = 0
    number = -1
    while True:
        same = _same_bytes(control, at, candidate, other)
        at, other = at + same, other + same
        if at == len(control) and other == len(candidate):
            return
        begin = control.rfind(b">", 0, at) + 1
        tag = control[control.rfind(b"<", 0, begin) + 1 : begin - 1]
        ends = control.find(b"<", at), candidate.find(b"<", other)
        is_leaf = control.startswith(b"</", ends[0]) and not tag.startswith(b"/") and not tag.endswith(b"/")
        if not begin or -1 in ends or not is_leaf or b">" in tag or control.find(b"<", begin, at) != -1:
            yield number, None
            return
        number += control.count(b"<", known, begin) - control.count(b"</", known, begin)
        yield number, candidate[other - (at - begin) : ends[1]]
        known = begin
        at, other = ends


def _same_bytes(control: bytes, at: int, candidate: bytes, other: int) -> int:
    """How many bytes from there on are the same; the time grows with that number and not with what follows."""

    def is_same(start: int, count: int) -> bool:
        return control[at + start : at + start + count] == candidate[other + start : other + start + count]

    most = min(len(control) - at, len(candidate) - other)
    same, step = 0, STEP_BYTES
    while same < most and is_same(same, step):
        same += step
        step *= 2
    while step > 1 and same < most:
        step //= 2
        if is_same(same, step):
            same += step
    return min(same, most)


def _read(text: bytes) -> str | None:
    try:
        return ElementTree.fromstring(b"<t>%b</t>" % text).text or ""  # noqa: S314 - nothing is declared in it
    except ElementTree.ParseError:
        return None
