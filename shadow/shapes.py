"""The shape of an answer: its status, its media type and the names in it; never a value.

Shapes tell how much of a route's behaviour has been seen: an account that exists and one that does not have different
shapes, and a comparison that has only seen one of them has not seen enough.
"""

from __future__ import annotations

from typing import Any

from shadow.body import is_json
from shadow.head_model import head_of
from shadow.json_model import Document, read_json
from shadow.observation import Observation
from shadow.redact import is_protocol_word, path_pattern
from shadow.unpack import unpacked

NAMES_MAX = 24
DEPTH_MAX = 4
SHAPE_CHARACTERS_MAX = 300
BODY_BYTES_MAX = 256 << 10


def shape_of(answer: Observation) -> str:
    """Like `200 application/json {acctNo bal items[]{amt}}`; lists show the shape of their first member."""
    head = head_of(answer)
    media = head.media if is_protocol_word(head.media) else "?" if head.media else "-"
    start = f"{answer.status} {media}"
    if not is_json(head.media) or len(answer.body) > BODY_BYTES_MAX:
        return start if answer.body else f"{start} empty"
    body = unpacked(answer.body, head.encoding)
    document = read_json(body) if isinstance(body, bytes) else body
    if not isinstance(document, Document):
        return f"{start} {document.reason}"
    return f"{start} {_names(document.tree, DEPTH_MAX)}"[:SHAPE_CHARACTERS_MAX]


def _names(tree: Any, depth: int) -> str:
    if isinstance(tree, list):
        return f"[]{_names(tree[0], depth - 1)}" if tree and depth else "[]"
    if not isinstance(tree, dict):
        return ""
    if not depth:
        return "{...}"
    names = dict.fromkeys(f"{path_pattern((name,))[2:]}{_names(tree[name], depth - 1)}" for name in sorted(tree))
    shown = list(names)[:NAMES_MAX]
    return "{" + " ".join(shown) + (" ..." if len(names) > NAMES_MAX else "") + "}"
