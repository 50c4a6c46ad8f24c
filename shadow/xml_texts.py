"""Whether two XML documents have one markup, so that only texts of leaves differ: the second need not be parsed then.

Answers of one interface differ in a text or two; the rest is the same bytes, but for what each side's library likes:
the prefixes of its namespaces or a default one, CDATA, comments. So both are written in one way, with the control's
prefixes, and from one difference of the bytes to the next the documents are the same elements; each must be within the
text of a leaf. Whatever is not as plain as that (attributes that differ, qualified names, other encodings) is for the
parser. Linear.
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

_DECLARATION = re.compile(rb"xmlns(?::([A-Za-z_][A-Za-z0-9_.-]*))?=(\"[^\"<>&]+\"|'[^'<>&]+')")
_BARE_TAG = re.compile(rb"</?([^\s:<>/]+)(?=[\s/>])")
_BARE = b"_bare_"
"""The prefix that is given to names without one."""
_SECTION = re.compile(rb"--(?:[\t\n\r -,.-~]|-[\t\n\r -,.-~])*-->|\[CDATA\[(.*?)\]\]>", re.DOTALL)
_XML_DECLARATION = re.compile(rb"<\?xml [^<>]*\?>\s*")
_PLAIN_ENCODINGS = frozenset({"utf-8", "utf8"})


def other_texts(control: bytes, candidate: bytes, charsets: tuple[str, str]) -> Texts | None:
    """Where the candidate is the control with other texts; None if that cannot be told from the bytes. The control is
    well-formed, so the candidate is, too, if there is an answer."""
    if len(candidate) > BODY_BYTES_MAX:
        return None
    ours, theirs = _plain(control, charsets[0]), _plain(candidate, charsets[1])
    both = None if ours is None or theirs is None else _in_one_spelling(ours, theirs)
    if both is None:
        return None
    texts: Texts = {}
    for number, piece in _differing_leaves(*both):
        text = None if piece is None else _read(piece)
        if text is None:
            return None
        texts[number] = text
    return texts


def _plain(body: bytes, charset: str) -> bytes | None:
    """The body without its XML declaration, comments and CDATA; None if it has instructions, another encoding, or an
    attribute that makes white space count or may hold a `>`."""
    if encoding_of(body, charset) not in _PLAIN_ENCODINGS:
        return None
    declaration = _XML_DECLARATION.match(body)
    body = body[declaration.end() :] if declaration else body
    # One character is sought ten times as quickly as two are.
    plain = _without_sections(body) if b"!" in body else body
    if plain is None or (b"?" in plain and b"<?" in plain):
        return None
    has_attributes = plain.count(b"=") != plain.count(b"xmlns")
    is_odd = has_attributes and (b"preserve" in plain or plain.count(b"<") != plain.count(b">"))
    return None if is_odd else plain


def _without_sections(body: bytes) -> bytes | None:
    """The body with CDATA as the text that it is, and without comments; None if it has anything else of the kind."""
    plain, *others = body.split(b"<!")
    parts = [plain]
    for piece in others:
        section = _SECTION.match(piece)
        if section is None:
            return None
        text = section[1] or b""
        parts.append(text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;"))
        parts.append(piece[section.end() :])
    return b"".join(parts)


def _in_one_spelling(control: bytes, candidate: bytes) -> tuple[bytes, bytes] | None:
    """Both with the control's prefixes; None where prefixes do not belong together one by one, or may be in values."""
    ours, theirs = _prefixes(control), _prefixes(candidate)
    if ours is None or theirs is None or ours.keys() != theirs.keys():
        return None
    if ours == theirs:
        return control, candidate
    both = _without_bare(control, ours), _without_bare(candidate, theirs)
    if both[0] is None or both[1] is None:
        return None
    renamed = _renamed(both[1], {theirs[uri] or _BARE: ours[uri] or _BARE for uri in theirs})
    return None if renamed is None else (both[0], renamed)


def _renamed(body: bytes, prefixes: dict[bytes, bytes]) -> bytes | None:
    """The body with other prefixes; None where one is taken, or stands anywhere but in a tag's name."""
    for known, prefix in prefixes.items():
        if known == prefix:
            continue
        if prefix in prefixes or _says(body, prefix):
            return None
        for spelt in (b"<%b:", b"</%b:", b" xmlns:%b="):
            body = body.replace(spelt % known, spelt % prefix)
        if _says(body, known):
            return None
    return body


def _says(body: bytes, prefix: bytes) -> bool:
    return b"%b:" % prefix in body and re.search(rb"(?<![\w.\x80-\xff-])%b:" % re.escape(prefix), body) is not None


def _without_bare(body: bytes, prefixes: dict[bytes, bytes]) -> bytes | None:
    """The body with a prefix instead of its default namespace; None if not all names without one are in its scope."""
    if b"" not in prefixes.values():
        return body
    declared = next(one.start() for one in _DECLARATION.finditer(body) if not one[1])
    first = _BARE_TAG.search(body)
    if first is None or first.start() != body.rfind(b"<", 0, declared) or _BARE + b":" in body:
        return None
    name = first[1]
    end = body.rfind(b"</%b" % name)
    is_once = len(re.findall(rb"<%b(?=[\s/>])" % re.escape(name), body)) == 1
    if not is_once or (end != -1 and _BARE_TAG.search(body, end + 1)):
        return None
    if end == -1 and _BARE_TAG.search(body, first.end()):
        return None
    body = body.replace(b"<", b"<%b:" % _BARE).replace(b"<%b:/" % _BARE, b"</%b:" % _BARE)
    for prefix in filter(None, prefixes.values()):
        for spelt in (b"<%b:", b"</%b:"):
            body = body.replace(spelt % _BARE + prefix + b":", spelt % prefix)
    return body.replace(b" xmlns=", b" xmlns:%b=" % _BARE)


def _prefixes(body: bytes) -> dict[bytes, bytes] | None:
    """The prefix of each namespace, empty for the default one; None unless each is declared once, in a tag."""
    found = list(_DECLARATION.finditer(body))
    if len(found) != body.count(b"xmlns") or len(found) > NAMESPACES_MAX:
        return None
    prefixes = {one[2][1:-1]: one[1] or b"" for one in found}
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
