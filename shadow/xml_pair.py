"""Two XML documents to trees of what differs between them: elements that are alike are not built.

Most of two answers is alike, and building values of it costs more than comparing the elements where they stand. Where
both sides have children of the same names in the same order, a child that is alike becomes UNCHANGED on both sides;
everything else is built as `shadow/xml_model.py` does, so the differences are the same. One pass, linear.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element as Node

from shadow.json_model import Document, Unreadable
from shadow.markup import Element, Repeated
from shadow.xml_model import DEPTH_MAX, Parsed, TooDeep, parse_xml, read_xml, split_tag

UNCHANGED = ""
Both = tuple[Any, Any]


def read_changed(
    control: bytes, candidate: bytes, charsets: tuple[str, str] = ("", "")
) -> tuple[Document | Unreadable, Document | Unreadable]:
    """Both bodies, each a tree of what differs, or why it cannot be read."""
    ours, theirs = parse_xml(control, charsets[0]), parse_xml(candidate, charsets[1])
    if isinstance(ours, Unreadable) or isinstance(theirs, Unreadable):
        return (
            ours if isinstance(ours, Unreadable) else Document(None, is_markup=True),
            theirs if isinstance(theirs, Unreadable) else Document(None, is_markup=True),
        )
    keeps_space = b"preserve" in control or b"preserve" in candidate
    if keeps_space or ours.prefixes != theirs.prefixes or ours.root.tag != theirs.root.tag:
        return read_xml(control, charsets[0]), read_xml(candidate, charsets[1])
    try:
        both = _Pair(ours, theirs).changed(ours.root, theirs.root, None, 1) or (UNCHANGED, UNCHANGED)
    except TooDeep:
        return Unreadable("too_deep"), Unreadable("too_deep")
    return Document(ours.tree(both[0]), is_markup=True), Document(theirs.tree(both[1]), is_markup=True)


class _Pair:
    def __init__(self, ours: Parsed, theirs: Parsed) -> None:
        self._ours, self._theirs = ours, theirs

    def changed(self, ours: Node, theirs: Node, above: str | None, depth: int) -> Both | None:
        """Both values of two elements with one tag; None if they are alike."""
        if depth > DEPTH_MAX:
            raise TooDeep
        has_same_head = ours.items() == theirs.items()
        children, others = ours[:], theirs[:]
        if not children or len(children) != len(others):
            if has_same_head and not children and not others and ours.text == theirs.text:
                return None
            return self._whole(ours, theirs, above, depth)
        if _is_text(ours.text) or _is_text(theirs.text):
            return self._whole(ours, theirs, above, depth)
        uri = split_tag(ours.tag)[0]
        found: list[Both | None] = []
        for mine, other in zip(children, others, strict=True):
            tail, other_tail = mine.tail, other.tail
            if mine.tag != other.tag or (tail and _is_text(tail)) or (other_tail and _is_text(other_tail)):
                return self._whole(ours, theirs, above, depth)
            # Leaves are compared here and not by a call of their own: that halves the time of a document.
            if mine.text == other.text and not (len(mine) or len(other) or mine.items() or other.items()):
                found.append(None)
            else:
                found.append(self.changed(mine, other, uri, depth + 1))
        if has_same_head and not any(found):
            return None
        return self._built(ours, found, 0, above), self._built(theirs, found, 1, above)

    def _whole(self, ours: Node, theirs: Node, above: str | None, depth: int) -> Both:
        return self._ours.value(ours, above, depth), self._theirs.value(theirs, above, depth)

    def _built(self, node: Node, found: list[Both | None], side: int, above: str | None) -> Element:
        """The element with the values of its children that differ, and UNCHANGED for the others."""
        parsed = self._theirs if side else self._ours
        element = parsed.head(node, above)
        names = [split_tag(child.tag)[1] for child in node]
        repeated: dict[str, Repeated] = {}
        for name, value in zip(names, found, strict=True):
            one = UNCHANGED if value is None else value[side]
            if name in repeated:
                repeated[name].append(one)
            elif name in element:
                element[name] = repeated[name] = Repeated([element[name], one])
            else:
                element[name] = one
        element.order = tuple(names)
        return element


def _is_text(text: str | None) -> bool:
    return bool(text) and not str(text).isspace()
