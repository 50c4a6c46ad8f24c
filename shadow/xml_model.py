"""Bytes of XML to a tree: namespaces by URI, attributes without order, no entities, no network.

Prefixes, the order of attributes, quotes, CDATA sections, comments and processing instructions make no difference.
White space between elements makes none either, unless `xml:space="preserve"`; the white space of a text does. A
document type is refused whatever it declares, so that nothing can be expanded or fetched.
"""

from __future__ import annotations

from lxml import etree

from shadow.json_model import BODY_BYTES_MAX, Document, Unreadable
from shadow.markup import Element, Repeated

DEPTH_MAX = 120
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_TOO_DEEP, _HUGE = "depth", "huge"
_CHARSETS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"})


class _TooDeep(Exception):
    pass


def read_xml(body: bytes, charset: str = "") -> Document | Unreadable:
    """The tree of an XML body. A charset of the Content-Type overrules the one in the document (RFC 7303, 3.2)."""
    if len(body) > BODY_BYTES_MAX:
        return Unreadable("too_large")
    if charset and charset not in _CHARSETS:
        return Unreadable("unknown_charset")
    parser = etree.XMLParser(
        encoding=charset or None, resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        attribute_defaults=False, huge_tree=False, remove_comments=True, remove_pis=True, strip_cdata=True,
        recover=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        text = str(error).lower()
        if b"<!DOCTYPE" in body[:4096].replace(b"\0", b""):
            return Unreadable("doctype")
        return Unreadable("too_deep" if _TOO_DEEP in text or _HUGE in text else "malformed_xml")
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.doctype:
        return Unreadable("doctype")
    try:
        tree = _element(root, None, 1, keeps_space=False)
    except _TooDeep:
        return Unreadable("too_deep")
    return Document(Element({_local(root.tag): tree}, (_local(root.tag),)), is_markup=True)


def _element(node: etree._Element, above: str | None, depth: int, *, keeps_space: bool) -> Element | str:
    if depth > DEPTH_MAX:
        raise _TooDeep
    tag = node.tag
    uri, local = _split(str(tag))
    attributes = node.attrib
    if not len(node) and not attributes and uri == above:
        return node.text or ""
    if attributes:
        keeps_space = _keeps_space(attributes.get(_SPACE), keeps_space)
    members: dict[str, object] = {}
    if uri != above:
        members["@xmlns"] = uri or ""
    for name in sorted(map(str, attributes)):
        value = str(attributes[name])
        members[f"@{name}"] = _resolved(value, node) if name == _XSI_TYPE else value
    element = Element(members)
    text = _children(node, element, (uri, depth), keeps_space=keeps_space)
    if text:
        element["#text"] = text
    del local
    return element


def _children(node: etree._Element, element: Element, place: tuple[str | None, int], *, keeps_space: bool) -> object:
    """Add the children, and return the text around them: one text, or one for each gap if it is mixed with elements."""
    uri, depth = place
    if not len(node):
        return node.text or ""
    order: list[str] = []
    texts = [node.text or ""]
    for child in node:
        name = _local(child.tag)
        order.append(name)
        element.add(name, _element(child, uri, depth + 1, keeps_space=keeps_space))
        texts.append(child.tail or "")
    element.order = tuple(order)
    is_blank = not any(text and (keeps_space or not text.isspace()) for text in texts)
    return None if is_blank else Repeated(texts)


def _split(tag: str) -> tuple[str | None, str]:
    if tag[0] == "{":
        uri, _, local = tag[1:].partition("}")
        return uri, local
    return None, tag


def _local(tag: object) -> str:
    text = str(tag)
    return text.rpartition("}")[2] if text[0] == "{" else text


def _keeps_space(value: object, inherited: bool) -> bool:
    return inherited if value is None else value == "preserve"


def _resolved(value: str, node: etree._Element) -> str:
    """A qualified name in a value, by its URI: the prefix may be another one on the other side."""
    prefix, colon, local = value.strip().rpartition(":")
    uri = node.nsmap.get(prefix if colon else None)
    return f"{{{uri}}}{local}" if uri else value
