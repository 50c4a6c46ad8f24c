"""An answer as the mirror saw it pass: bytes that nobody has read yet, and whether two of them are the same.

Most pairs of a migration that goes well are equal byte for byte under the same head, and for those the verdict needs no
rule. It is given here, before anything is decoded, and the pair itself does not travel (`agreements.py`).
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from shadow.head_model import HEADERS_COMPARED
from shadow.observation import Observation, Side

if TYPE_CHECKING:
    from gateway.wire.headers import Fields

Significant = tuple[tuple[bytes, bytes], ...]
_COMPARED: Final = frozenset(
    name.encode() for name in (*HEADERS_COMPARED, "content-type", "content-encoding", "set-cookie")
)
_name: Final = itemgetter(0)


class Witnessed:
    """One side's answer."""

    __slots__ = ("body", "fields", "seconds", "side", "status")

    def __init__(self, status: int, fields: Fields, body: bytes, seconds: float, side: Side) -> None:
        self.status = status
        self.fields = fields
        self.body = body
        self.seconds = seconds
        self.side: Side = side

    def observation(self) -> Observation:
        """What travels to the comparer."""
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.fields)
        return Observation(self.status, headers, self.body, self.seconds, self.side)

    def differs(self, other: Witnessed) -> bool:
        """Whether status or body differ, so that a second look may tell a race from a difference."""
        return self.status != other.status or self.body != other.body

    def equals(self, other: Witnessed, also: frozenset[bytes]) -> bool:
        """Whether both are equal whatever the rules are: status, bytes of the body, and every header compared.

        `also` names, in lower case, the headers that the route compares beside the usual ones.
        """
        if self.status != other.status or self.body != other.body:
            return False
        # Heads that came before byte for byte share their fields (`seen_heads.py`).
        return self.fields is other.fields or significant(self.fields, also) == significant(other.fields, also)


def significant(fields: Fields, also: frozenset[bytes]) -> Significant:
    """The fields that a comparison looks at, by lower-case name; fields of one name keep their order."""
    names = _COMPARED | also if also else _COMPARED
    found = [(name.lower(), value) for name, value in fields if name.lower() in names]
    found.sort(key=_name)
    return tuple(found)
