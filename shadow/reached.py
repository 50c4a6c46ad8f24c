"""Which rules of a route name anything in its answers, looked at in the first answers until all of them do."""

from __future__ import annotations

from shadow.body import Decoder, read_tree
from shadow.found import paths_below
from shadow.head_model import head_of
from shadow.json_model import Document
from shadow.observation import Pair
from shadow.rules import Rules
from shadow.unpack import unpacked

ANSWERS_MAX, PATHS_MAX = 500, 2_000


class Watch:
    """Looks at answers as long as a rule has not named anything, ANSWERS_MAX of them at most."""

    def __init__(self, rules: Rules, decode: Decoder | None) -> None:
        self._rules, self._decode = rules, decode
        self._left = set(rules.names)
        self._answers = 0

    def look(self, pair: Pair) -> tuple[str, ...] | None:
        """The rules that name something in either answer; None if there was no need to look."""
        if not self._left or self._answers >= ANSWERS_MAX:
            return None
        self._answers += 1
        found: set[str] = set()
        for answer in (pair.control, pair.candidate):
            head = head_of(answer)
            body = unpacked(answer.body, head.encoding)
            tree = read_tree(body, head, self._rules.form, self._decode) if isinstance(body, bytes) else None
            if isinstance(tree, Document):
                rules = self._rules.for_markup if tree.is_markup else self._rules
                for number, path in enumerate(paths_below((), tree.tree)):
                    if number >= PATHS_MAX or self._left == found:
                        break
                    found |= rules.reached(path) & self._left
        self._left -= found
        return tuple(sorted(found))
