"""Two XML documents to trees of what differs between them: elements that are alike are not built.

Most of two answers is alike, and building values of it costs more than comparing the elements where they stand. Where
both documents have one shape, which is the rule, the elements that differ are found without a step of Python for each;
only they and the elements around them become values, and every other child is UNCHANGED on both sides. Documents of
two shapes are built whole, as `shadow/xml_model.py` does, so the differences are the same. Linear.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from copy import copy
from itertools import chain, compress
from operator import attrgetter, methodcaller, ne
from typing import Any
from xml.etree.ElementTree import Element as Node

from shadow.json_model import Document, Unreadable
from shadow.markup import Element, Repeated
from shadow.xml_model import DEPTH_MAX, Parsed, TooDeep, parse_xml, split_tag
from shadow.xml_texts import Texts, other_texts

UNCHANGED = ""
Both = tuple[Any, Any]

_HEAD = attrgetter("tag", "text", "tail")
_ITEMS = methodcaller("items")


def read_changed(
    control: bytes, candidate: bytes, charsets: tuple[str, str] = ("", "")
) -> tuple[Document | Unreadable, Document | Unreadable]:
    """Both bodies, each a tree of what differs, or why it cannot be read."""
    ours = parse_xml(control, charsets[0])
    texts = None if isinstance(ours, Unreadable) else other_texts(control, candidate, charsets)
    if isinstance(ours, Parsed) and texts is not None:
        return _changed(ours, *_with_texts(ours, texts))
    theirs = parse_xml(candidate, charsets[1])
    if isinstance(ours, Unreadable) or isinstance(theirs, Unreadable):
        return (
            ours if isinstance(ours, Unreadable) else Document(None, is_markup=True),
            theirs if isinstance(theirs, Unreadable) else Document(None, is_markup=True),
        )
    has_attributes = any(body.count(b"=") != body.count(b"xmlns") for body in (control, candidate))
    keeps_space = has_attributes and (b"preserve" in control or b"preserve" in candidate)
    if keeps_space or ours.prefixes != theirs.prefixes or ours.root.tag != theirs.root.tag:
        return ours.document(), theirs.document()
    touched = _touched(ours.root, theirs.root, has_attributes=has_attributes)
    if touched is None:
        return ours.document(), theirs.document()
    return _changed(ours, theirs, touched)


def _changed(ours: Parsed, theirs: Parsed, touched: set[Node]) -> tuple[Document | Unreadable, Document | Unreadable]:
    try:
        both = _Pair(ours, theirs, touched).changed((ours.root, theirs.root), None, 1) or (UNCHANGED, UNCHANGED)
    except TooDeep:
        return Unreadable("too_deep"), Unreadable("too_deep")
    return Document(ours.tree(both[0]), is_markup=True), Document(theirs.tree(both[1]), is_markup=True)


def _with_texts(ours: Parsed, texts: Texts) -> tuple[Parsed, set[Node]]:
    """Our document with other texts, and the elements of ours that are touched. What is not touched is shared."""
    mine = list(ours.root.iter())
    touched = _with_ancestors(mine, [mine[number] for number in texts])
    copies = {node: copy(node) for node in touched}
    for node, copied in copies.items():
        for place, child in enumerate(node):
            if child in touched:
                copied[place] = copies[child]
    for number, text in texts.items():
        copies[mine[number]].text = text
    return Parsed(copies.get(ours.root, ours.root), ours.prefixes), touched


def _touched(ours: Node, theirs: Node, *, has_attributes: bool) -> set[Node] | None:
    """The elements of ours that differ from their counterparts, and those around them; None if the shapes differ."""
    mine, other = list(ours.iter()), list(theirs.iter())
    lengths = list(map(len, mine))
    if lengths != list(map(len, other)):
        return None
    differing: Iterable[Node] = compress(mine, map(ne, map(_HEAD, mine), map(_HEAD, other)))
    if has_attributes:
        differing = chain(differing, compress(mine, map(ne, map(_ITEMS, mine), map(_ITEMS, other))))
    return _with_ancestors(mine, differing)


def _with_ancestors(nodes: list[Node], chosen: Iterable[Node]) -> set[Node]:
    touched: set[Node] = set()
    parents = {child: node for node in compress(nodes, map(len, nodes)) for child in node}
    for node in chosen:
        at: Node | None = node
        while at is not None and at not in touched:
            touched.add(at)
            at = parents.get(at)
    return touched


class _Pair:
    """Two documents of one shape; `touched` are the elements of ours in which something differs."""

    def __init__(self, ours: Parsed, theirs: Parsed, touched: set[Node]) -> None:
        self._ours, self._theirs, self._touched = ours, theirs, touched

    def changed(self, pair: tuple[Node, Node], above: str | None, depth: int) -> Both | None:
        """Both values of two elements with one tag; None if they are alike."""
        if depth > DEPTH_MAX:
            raise TooDeep
        ours, theirs = pair
        has_same_head = ours.items() == theirs.items()
        children, others = ours[:], theirs[:]
        if not children and has_same_head and ours.text == theirs.text:
            return None
        found = self._children((children, others), split_tag(ours.tag)[0], depth) if children else None
        if found is None or _is_text(ours.text) or _is_text(theirs.text):
            return self._ours.value(ours, above, depth), self._theirs.value(theirs, above, depth)
        if has_same_head and not found:
            return None
        names = [split_tag(child.tag)[1] for child in children]
        return self._built((ours, theirs), above, names, found)

    def _children(self, both: tuple[list[Node], list[Node]], uri: str | None, depth: int) -> dict[int, Both] | None:
        """What differs, by the child's number; None where the children do not belong together one by one."""
        found: dict[int, Both] = {}
        touched = self._touched
        for number, mine in enumerate(both[0]):
            if mine not in touched:
                continue
            other = both[1][number]
            if mine.tag != other.tag or _is_text(mine.tail) or _is_text(other.tail):
                return None
            changed = self.changed((mine, other), uri, depth + 1)
            if changed is not None:
                found[number] = changed
        return found

    def _built(
        self, pair: tuple[Node, Node], above: str | None, names: list[str], found: dict[int, Both]
    ) -> tuple[Element, Element]:
        """Both elements with the values of the children that differ, and UNCHANGED for the others."""
        places: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            places.setdefault(name, []).append(number)
        elements = self._ours.head(pair[0], above), self._theirs.head(pair[1], above)
        order = tuple(names)
        for side, element in enumerate(elements):
            for name, numbers in places.items():
                element[name] = Repeated([UNCHANGED] * len(numbers)) if len(numbers) > 1 else UNCHANGED
            for number, both in found.items():
                numbers = places[names[number]]
                if len(numbers) > 1:
                    element[names[number]][bisect_left(numbers, number)] = both[side]
                else:
                    element[names[number]] = both[side]
            element.order = order
        return elements


def _is_text(text: str | None) -> bool:
    return bool(text) and not str(text).isspace()
