"""Trees of markup: an element whose children have an order, and a name that occurs more than once.

An element without attributes and children is its text. Otherwise it is a dict: `@name` for attributes, `@xmlns` for a
namespace other than its parent's, `#text` for its text, and the children by their local names.
"""

from __future__ import annotations

from collections import Counter
from typing import Any


class Element(dict[str, Any]):
    """Members by name; `order` has the names of all children in their order, each as often as it occurs.

    It has no `__init__` of its own: a document of 10,000 elements makes 10,000 of them.
    """

    __slots__ = ("_order",)
    _order: tuple[str, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """Empty where the order means nothing, as in a form."""
        return getattr(self, "_order", ())

    @order.setter
    def order(self, names: tuple[str, ...]) -> None:
        self._order = names

    def add(self, name: str, value: Any) -> None:
        """Add a member; a name that is there already becomes a list."""
        if name not in self:
            self[name] = value
        elif isinstance(self[name], Repeated):
            self[name].append(value)
        else:
            self[name] = Repeated([self[name], value])

    def differs_in_order(self, other: Element) -> bool:
        """Whether both have the same children in another order."""
        return self.order != other.order and Counter(self.order) == Counter(other.order)


class Repeated(list[Any]):
    """The values of a name that occurs more than once."""


def as_element(value: Any) -> Element:
    """The element of a leaf that is only text beside one that is more."""
    if isinstance(value, Element):
        return value
    return Element({"#text": value} if value not in ("", None) else {})
