"""A pair as it may be stored: the trees of both answers with what is sensitive in them as tokens, to be judged anew.

Not bodies are kept but the trees that were compared, whatever they were read from; so redaction has one form to deal
with, and nothing hides in an encoding. What no reader knows is kept as its length and a token. Equal values have equal
tokens, so another look under other rules finds the same differences.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from config.paths import Path
from shadow.body import Decoder, read_tree
from shadow.compare import Verdict, compare_trees, head_differences, notes_on_bytes, verdict_of
from shadow.correspondence import Correspondence
from shadow.found import Found, Walk
from shadow.head_model import Head, head_of
from shadow.json_model import Document, Unreadable
from shadow.markup import Element, Repeated
from shadow.observation import Observation, Pair
from shadow.redact import Redactor
from shadow.rules import Rules
from shadow.unpack import unpacked
from shadow.walk import TooDeep

SNAPSHOT_BYTES_MAX = 256 << 10
INTEGER_MAX = 1 << 53


class Face(msgspec.Struct, frozen=True):
    """One side: its head, and its tree in the form of `_packed`, or why there is none (`problem`), or what its bytes
    are like (`opaque`)."""

    status: int
    head: Head
    seconds: float
    tree: Any = None
    problem: str | None = None
    opaque: str | None = None
    is_markup: bool = False
    notes: tuple[str, ...] = ()


class Snapshot(msgspec.Struct, frozen=True):
    """A stored pair with the verdict that it had."""

    at: float
    method: str
    legacy_is_control: bool
    verdict: str
    reason: str | None
    control: Face
    candidate: Face


class Reading(msgspec.Struct, frozen=True):
    """How answers of a route are read: its rules and its layout."""

    rules: Rules
    decode: Decoder | None = None


_decoder = msgspec.json.Decoder(Snapshot)


def snapshot(pair: Pair, verdict: Verdict, reading: Reading, redactor: Redactor) -> bytes | None:
    """The pair as bytes; None where it is too large to be kept."""
    faces = [_face(side, reading, redactor) for side in (pair.control, pair.candidate)]
    notes = notes_on_bytes((faces[0].head, faces[1].head), differ=_plain(pair.control) != _plain(pair.candidate))
    faces[0] = msgspec.structs.replace(faces[0], notes=(*faces[0].notes, *notes))
    kind = "race" if verdict.race else verdict.kind
    one = Snapshot(pair.at, pair.method, pair.control.side == "legacy", kind, verdict.reason, *faces)
    try:
        data = msgspec.json.encode(one)
    except RecursionError:
        return None
    return data if len(data) <= SNAPSHOT_BYTES_MAX else None


def read_snapshot(data: bytes) -> Snapshot:
    """The snapshot in those bytes. Raises msgspec.DecodeError."""
    return _decoder.decode(data)


def _masked_head(head: Head, redactor: Redactor) -> Head:
    """The head with everything that a server could have written into it looked at, names of cookies included."""
    text = redactor.text
    cookies = {
        text(name): {text(word): text(value) for word, value in attributes.items()}
        for name, attributes in head.cookies.items()
    }
    others = {name: text(value) for name, value in head.others.items()}
    words = text(head.media), text(head.charset), text(head.encoding)
    return Head(*words, others, cookies, text(head.content_type))


def _plain(answer: Observation) -> bytes | Unreadable:
    return unpacked(answer.body, head_of(answer).encoding)


def _face(answer: Observation, reading: Reading, redactor: Redactor) -> Face:
    head = head_of(answer, reading.rules.headers)
    shown = _masked_head(head, redactor)
    body = unpacked(answer.body, head.encoding)
    document = read_tree(body, head, reading.rules.form, reading.decode) if isinstance(body, bytes) else body
    face = Face(answer.status, shown, answer.seconds)
    if isinstance(document, Unreadable):
        return msgspec.structs.replace(face, problem=document.reason)
    if document is None:
        return msgspec.structs.replace(face, opaque=redactor.shown(body))
    rules = reading.rules.for_markup if document.is_markup else reading.rules
    try:
        tree = _packed(document.tree, (), _leaf_mask(rules, redactor))
    except RecursionError:
        return msgspec.structs.replace(face, problem="too_deep")
    return msgspec.structs.replace(face, tree=tree, is_markup=document.is_markup, notes=tuple(sorted(document.notes)))


Mask = Callable[[Any, Path], Any]


def _leaf_mask(rules: Rules, redactor: Redactor) -> Mask:
    def mask(value: Any, path: Path) -> Any:
        if rules.is_secret(path) or isinstance(value, bytes):
            return redactor.shown(value)
        if isinstance(value, str):
            return redactor.text(value)
        if isinstance(value, int) and not isinstance(value, bool):
            text = str(value)
            hidden = redactor.text(text)
            return value if hidden == text else hidden
        return value

    return mask


def _packed(tree: Any, path: Path, mask: Mask) -> Any:
    """A tree as plain JSON: what JSON does not know is a list that begins with a letter."""
    if isinstance(tree, dict):
        members = {mask(name, ()): _packed(value, (*path, name), mask) for name, value in tree.items()}
        return ["E", list(tree.order), members] if isinstance(tree, Element) else members
    if isinstance(tree, list | tuple):
        members_ = [_packed(value, (*path, index), mask) for index, value in enumerate(tree)]
        return ["R" if isinstance(tree, Repeated) else "L", members_]
    leaf = mask(tree, path)
    if isinstance(leaf, Decimal):
        return ["N", str(leaf)]
    if isinstance(leaf, int) and not isinstance(leaf, bool) and abs(leaf) > INTEGER_MAX:
        return ["I", str(leaf)]
    return leaf


def _unpacked(packed: Any) -> Any:
    if isinstance(packed, dict):
        return {name: _unpacked(value) for name, value in packed.items()}
    if not isinstance(packed, list):
        return packed
    return _UNPACKERS[packed[0]](packed)


def _element(packed: list[Any]) -> Element:
    element = Element({name: _unpacked(value) for name, value in packed[2].items()})
    element.order = tuple(packed[1])
    return element


_UNPACKERS: dict[str, Callable[[list[Any]], Any]] = {
    "E": _element,
    "R": lambda packed: Repeated(map(_unpacked, packed[1])),
    "L": lambda packed: [_unpacked(value) for value in packed[1]],
    "N": lambda packed: Decimal(packed[1]),
    "I": lambda packed: int(packed[1]),
}


def judge_again(kept: Snapshot, rules: Rules, redactor: Redactor, ids: Correspondence | None = None) -> Verdict:
    """The verdict on a stored pair under other rules. A race stays one; what could not be read still cannot be."""
    ours, theirs = kept.control, kept.candidate
    state = Walk(rules, ids=ids.meeting() if ids is not None and rules.has_ids else None)
    differing = head_differences((ours.status, ours.head), (theirs.status, theirs.head), state)
    is_race = kept.verdict == "race"
    if (ours.status != theirs.status or ours.head.media != theirs.head.media) and differing:
        return _raced(verdict_of(differing, state, redactor), is_race)
    if ours.problem or theirs.problem:
        return Verdict("incomparable", kept.reason or ours.problem or theirs.problem)
    if ours.opaque != theirs.opaque:
        differing.append(Found((), "value", ours.opaque, theirs.opaque))
    elif ours.opaque is None:
        try:
            compare_trees(_document(ours), _document(theirs), state, legacy_is_control=kept.legacy_is_control)
        except (TooDeep, RecursionError):
            return Verdict("incomparable", "too_deep")
    return _raced(verdict_of([*differing, *state.found], state, redactor), is_race)


def _document(face: Face) -> Document:
    return Document(_unpacked(face.tree), is_markup=face.is_markup, notes=frozenset(face.notes))


def _raced(verdict: Verdict, is_race: bool) -> Verdict:
    return msgspec.structs.replace(verdict, race=True) if is_race and verdict.kind == "different" else verdict
