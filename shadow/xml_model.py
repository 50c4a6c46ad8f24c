"""Bytes of XML to a tree: namespaces by URI, attributes without order, no entities, no network.

Prefixes, the order of attributes, quotes, CDATA sections, comments and processing instructions make no difference.
White space between elements makes none either, unless `xml:space="preserve"`; the white space of a text does. A
document type is refused whatever it declares, so that nothing can be expanded or fetched: expat, which reads here, has
no entities but those of XML itself then. (lxml was measured at a third of the speed: it makes an object for each
element that is looked at.)
"""

from __future__ import annotations

import re
from functools import lru_cache
from pyexpat import ExpatError, ParserCreate
from typing import Any
from xml.etree import ElementTree

from shadow.json_model import BODY_BYTES_MAX, Document, Unreadable
from shadow.markup import Element, Repeated

DEPTH_MAX = 120
TAGS_KEPT_MAX = 4096
_INSTANCE = b"http://www.w3.org/2001/XMLSchema-instance"
_TYPE = f"{{{_INSTANCE.decode()}}}type"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_DECLARED = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"})


class TooDeep(Exception):
    """More than DEPTH_MAX elements inside each other."""


class _HasType(Exception):
    pass


def read_xml(body: bytes, charset: str = "") -> Document | Unreadable:
    """The tree of an XML body. A charset of the Content-Type overrules the one in the document (RFC 7303, 3.2)."""
    found = parse_xml(body, charset)
    return found if isinstance(found, Unreadable) else found.document()


def parse_xml(body: bytes, charset: str) -> Parsed | Unreadable:
    """The elements of an XML body."""
    if len(body) > BODY_BYTES_MAX:
        return Unreadable("too_large")
    if encoding_of(body, charset) not in _CHARSETS:
        return Unreadable("unknown_charset")
    try:
        if b"DOCTYPE" in body or b"\0" in body:
            _refuse_type(body, charset)
        return Parsed(*_parsed(body, charset))
    except _HasType:
        return Unreadable("doctype")
    except (ExpatError, ElementTree.ParseError, ValueError, LookupError):
        return Unreadable("malformed_xml")


def encoding_of(body: bytes, charset: str) -> str:
    """The name of the encoding: by the Content-Type, else by the document, else UTF-8."""
    declared = None if charset else _DECLARED.match(body)
    return charset or (declared[1].decode().lower() if declared else "utf-8")


def _refuse_type(body: bytes, charset: str) -> None:
    def refuse(*_: object) -> None:
        raise _HasType

    parser = ParserCreate(charset or None)
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(body, True)


Prefixes = dict[str, set[str]]


class _Builder(ElementTree.TreeBuilder):
    """Remembers what each prefix stands for, for the values that are qualified names."""

    def __init__(self) -> None:
        super().__init__()
        self.prefixes: Prefixes = {}

    def start_ns(self, prefix: str, uri: str) -> None:
        """A namespace is declared."""
        self.prefixes.setdefault(prefix or "", set()).add(uri)


def _parsed(body: bytes, charset: str) -> tuple[ElementTree.Element, Prefixes]:
    builder = _Builder() if _INSTANCE in body else None
    parser = ElementTree.XMLParser(target=builder, encoding=charset or None)  # noqa: S314 - see the import
    parser.feed(body)
    return parser.close(), builder.prefixes if builder is not None else {}


@lru_cache(maxsize=TAGS_KEPT_MAX)
def split_tag(tag: str) -> tuple[str | None, str]:
    """The namespace and the local name of `{uri}name`."""
    if tag[0] == "{":
        uri, _, local = tag[1:].partition("}")
        return uri, local
    return None, tag


class Parsed:
    """The elements of one document, and what they are as values; `prefixes` only where it has qualified names."""

    def __init__(self, root: ElementTree.Element, prefixes: Prefixes) -> None:
        self.root = root
        self.prefixes = prefixes

    def document(self) -> Document | Unreadable:
        """The whole document; unreadable if it is too deep."""
        try:
            return Document(self.tree(self.value(self.root, None, 1)), is_markup=True)
        except TooDeep:
            return Unreadable("too_deep")

    def tree(self, value: Element | str) -> Element:
        """The tree of the document, given the value of its root."""
        return Element({split_tag(self.root.tag)[1]: value})

    def value(
        self, node: ElementTree.Element, above: str | None, depth: int, keeps_space: bool = False
    ) -> Element | str:
        """The text of a leaf in its parent's namespace, or else its element."""
        if depth > DEPTH_MAX:
            raise TooDeep
        uri = split_tag(node.tag)[0]
        attributes = node.items()
        if not attributes and uri == above and not len(node):
            return node.text or ""
        element = self.head(node, above)
        if attributes:
            keeps_space = {"preserve": True, None: keeps_space}.get(node.get(_SPACE), False)
        if len(node):
            self._add_children(node, element, (uri, depth), keeps_space)
        elif node.text:
            element["#text"] = node.text
        return element

    def head(self, node: ElementTree.Element, above: str | None) -> Element:
        """The element with its namespace and its attributes alone."""
        element = Element()
        uri = split_tag(node.tag)[0]
        if uri != above:
            element["@xmlns"] = uri or ""
        for name, text in sorted(node.items()):
            element[f"@{name}"] = self._resolved(text) if name == _TYPE else text
        return element

    def _add_children(
        self, node: ElementTree.Element, element: Element, place: tuple[str | None, int], keeps_space: bool
    ) -> None:
        """Add the children, and the text around them: one for each gap, if it is mixed with elements."""
        uri, depth = place
        order: list[str] = []
        texts: list[str] = [node.text or ""]
        for child in node:
            space, name = split_tag(child.tag)
            # Most elements are leaves; what is inlined here for them halves the time of a whole document.
            is_leaf = space == uri and not len(child) and not child.items()
            value: Any = (child.text or "") if is_leaf else self.value(child, uri, depth + 1, keeps_space)
            order.append(name)
            if name in element:
                element.add(name, value)
            else:
                element[name] = value
            if child.tail:
                texts.append(child.tail)
            else:
                texts.append("")
        element.order = tuple(order)
        around = "".join(texts)
        if around and (keeps_space or not around.isspace()):
            element["#text"] = Repeated(texts)

    def _resolved(self, value: str) -> str:
        """A qualified name by its URI: the prefix may be another one on the other side."""
        prefix, _, local = value.strip().rpartition(":")
        uris = self.prefixes.get(prefix)
        return f"{{{' '.join(sorted(uris))}}}{local}" if uris else value
