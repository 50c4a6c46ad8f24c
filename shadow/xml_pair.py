"""Two XML documents to trees of what differs between them: elements that are alike are not built.

Most of two answers is alike, and building values of it costs more than comparing the elements where they stand. Where
both sides have children of the same names in the same order, a child that is alike becomes UNCHANGED on both sides;
everything else is built as `shadow/xml_model.py` does, so the differences are the same. Where both documents have one
shape, which is the rule, the elements that differ are found without a step of Python for each. Linear.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import compress, count
from operator import attrgetter, methodcaller, ne
from typing import Any
from xml.etree.ElementTree import Element as Node

from shadow.json_model import Document, Unreadable
from shadow.markup import Element, Repeated
from shadow.xml_model import DEPTH_MAX, Parsed, TooDeep, parse_xml, read_xml, split_tag

UNCHANGED = ""
END = 1 << 62
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
        has_attributes = any(body.count(b"=") != body.count(b"xmlns") for body in (control, candidate))
        pair = _Pair(ours, theirs, has_attributes=has_attributes)
        both = pair.changed((ours.root, theirs.root), None, 1, 0) or (UNCHANGED, UNCHANGED)
    except TooDeep:
        return Unreadable("too_deep"), Unreadable("too_deep")
    return Document(ours.tree(both[0]), is_markup=True), Document(theirs.tree(both[1]), is_markup=True)


_HEAD = attrgetter("tag", "text", "tail")
_ITEMS = methodcaller("items")


class _Pair:
    """Both documents; where they have one shape, `_differing` has the numbers of the elements that differ, in the order
    of the document, and `_sizes` how many elements each one holds, itself included."""

    def __init__(self, ours: Parsed, theirs: Parsed, *, has_attributes: bool) -> None:
        self._ours, self._theirs = ours, theirs
        mine, other = list(ours.root.iter()), list(theirs.root.iter())
        lengths = list(map(len, mine))
        self._has_one_shape = lengths == list(map(len, other))
        self._differing: list[int] = []
        self._sizes: list[int] = []
        if self._has_one_shape:
            differing = set(compress(count(), map(ne, map(_HEAD, mine), map(_HEAD, other))))
            if has_attributes:
                differing.update(compress(count(), map(ne, map(_ITEMS, mine), map(_ITEMS, other))))
            self._differing = sorted(differing)
            self._sizes = _sizes(lengths)

    def _next_differing(self, number: int) -> int:
        """The first element from that number on that differs; END if none does, and 0 if that is not known."""
        if not self._has_one_shape:
            return 0
        at = bisect_left(self._differing, number)
        return self._differing[at] if at < len(self._differing) else END

    def changed(self, pair: tuple[Node, Node], above: str | None, depth: int, number: int) -> Both | None:
        """Both values of two elements with one tag; None if they are alike."""
        if depth > DEPTH_MAX:
            raise TooDeep
        ours, theirs = pair
        has_same_head = ours.items() == theirs.items()
        children, others = ours[:], theirs[:]
        if not children or len(children) != len(others):
            if has_same_head and not children and not others and ours.text == theirs.text:
                return None
            return self._whole(ours, theirs, above, depth)
        if _is_text(ours.text) or _is_text(theirs.text):
            return self._whole(ours, theirs, above, depth)
        found = self._children((children, others), split_tag(ours.tag)[0], depth, number)
        if found is None:
            return self._whole(ours, theirs, above, depth)
        if has_same_head and not any(found):
            return None
        return self._built(ours, found, 0, above), self._built(theirs, found, 1, above)

    def _children(
        self, both: tuple[list[Node], list[Node]], uri: str | None, depth: int, number: int
    ) -> list[Both | None] | None:
        """What differs in each child; None where the children do not belong together one by one."""
        found: list[Both | None] = []
        sizes = self._sizes
        number += 1
        differing = self._next_differing(number)
        for mine, other in zip(*both, strict=True):
            size = sizes[number] if sizes else 0
            if size and differing >= number + size:
                found.append(None)
            elif mine.tag != other.tag or _is_text(mine.tail) or _is_text(other.tail):
                return None
            else:
                found.append(self.changed((mine, other), uri, depth + 1, number))
                differing = self._next_differing(number + size)
            number += size
        return found

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


def _sizes(lengths: list[int]) -> list[int]:
    """How many elements each element holds, from the number of children of each in the order of the document."""
    sizes = [1] * len(lengths)
    for number in range(len(lengths) - 1, -1, -1):
        child = number + 1
        for _ in range(lengths[number]):
            child += sizes[child]
        sizes[number] = child - number
    return sizes
