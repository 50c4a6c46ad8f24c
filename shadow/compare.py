"""A pair of answers to a verdict: equal, equivalent, different, or incomparable with the reason.

The progression, each step final if it can tell: equal bytes under the same head; status; content type and the other
headers that mean something; then the bodies by what they are - JSON and fixed width as trees, text by its characters,
anything else by its bytes. Nothing here raises on an answer, waits, or keeps state, so any pair may be judged again.

Worked example: control `{"id":1,"bal":10.50}`, candidate `{"bal":10.5,"id":1}`. The bytes differ, status and type do
not; both are JSON; the walk finds no difference but notes `key_order` and `number_scale`: equivalent. Had `bal` been
10.51, the verdict were different at `$.bal`. If the gateway's second look at both sides (`Pair.again`) then agrees,
the verdict is kept as a race: time, not the candidate, made the difference.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shadow.body import HEADERS_COMPARED, Decoder, Head, head_of, is_text, read_text, read_tree, unpacked
from shadow.json_model import Document, Unreadable
from shadow.observation import Observation, Pair
from shadow.redact import Redactor, installed, path_pattern, path_place
from shadow.rules import Rules
from shadow.walk import NOTHING, Found, Kind, TooDeep, walk

VerdictKind = Literal["equal", "equivalent", "different", "incomparable"]

DIFFERENCES_SHOWN_MAX = 32
FAULTS = frozenset({
    "malformed_json", "duplicate_keys", "not_a_number", "number_out_of_range", "invalid_utf8", "invalid_text",
    "undecodable", "malformed_encoding",
})  # fmt: skip
"""Reasons that an answer is to blame for; the others are limits of ours."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One difference. `path` is a pattern (`$.items[*].amount`), `place` the first place where it was found; both
    values are redacted, and None where that side has nothing. Parts of the head have the paths `status` and
    `header:NAME`."""

    path: str
    kind: Kind
    control_shown: str | None
    candidate_shown: str | None
    place: str = ""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a pair means. `reason` says why it is incomparable (`malformed_json:candidate`) or no more than equivalent
    (`key_order,number_scale`); a race differed at first and agreed when both sides were asked again."""

    kind: VerdictKind
    reason: str | None = None
    differences: tuple[Difference, ...] = ()
    race: bool = False

    @property
    def agrees(self) -> bool:
        """Whether the pair is evidence of agreement."""
        return self.kind in ("equal", "equivalent") or self.race

    @property
    def counts_against(self) -> bool:
        """Whether the pair is evidence against the candidate: different, or broken on the candidate's side only."""
        if self.kind == "different":
            return not self.race
        fault, _, side = (self.reason or "").partition(":")
        return self.kind == "incomparable" and side == "candidate" and fault in FAULTS


EQUAL = Verdict("equal")


def compare(pair: Pair, rules: Rules, decode: Decoder | None = None, redactor: Redactor | None = None) -> Verdict:
    """The verdict on a pair, with its second look taken into account. `redactor` is the installation's by default."""
    verdict = judge(pair.control, pair.candidate, rules, decode, redactor)
    if verdict.kind != "different" or pair.again is None:
        return verdict
    again = judge(pair.again[0], pair.again[1], rules, decode, redactor)
    return msgspec.structs.replace(verdict, race=True) if again.kind in ("equal", "equivalent") else verdict


def judge(
    control: Observation,
    candidate: Observation,
    rules: Rules,
    decode: Decoder | None = None,
    redactor: Redactor | None = None,
) -> Verdict:
    """The verdict on two answers by themselves."""
    if control.status == candidate.status and control.body == candidate.body and control.headers == candidate.headers:
        return EQUAL
    ours, theirs = head_of(control), head_of(candidate)
    differing = _head_differences(control, candidate, ours, theirs)
    if control.status != candidate.status or ours.media != theirs.media:
        return Verdict("different", None, _shown(differing, redactor))
    if control.body == candidate.body and ours.encoding == theirs.encoding:
        return Verdict("different", None, _shown(differing, redactor)) if differing else EQUAL
    try:
        body = _bodies(control.body, candidate.body, (ours, theirs), rules, decode)
    except (TooDeep, RecursionError):
        return Verdict("incomparable", "too_deep")
    if isinstance(body, str):
        return Verdict("incomparable", body)
    found, notes = body
    if differing or found:
        return Verdict("different", None, _shown([*differing, *found], redactor))
    return Verdict("equivalent", ",".join(sorted(notes))) if notes else EQUAL


def _head_differences(control: Observation, candidate: Observation, ours: Head, theirs: Head) -> list[Found]:
    found = []
    if control.status != candidate.status:
        found.append(Found(("status",), "value", control.status, candidate.status))
    if ours.media != theirs.media:
        found.append(_header("content-type", ours.media, theirs.media))
    if ours.others != theirs.others:
        changed = [name for name in sorted(HEADERS_COMPARED) if ours.others.get(name) != theirs.others.get(name)]
        found += [_header(name, ours.others.get(name), theirs.others.get(name)) for name in changed]
    return found


def _header(name: str, control: str | None, candidate: str | None) -> Found:
    kind: Kind = "extra" if not control else "missing" if not candidate else "value"
    return Found((f"header:{name}",), kind, control or NOTHING, candidate or NOTHING)


Bodies = tuple[list[Found], set[str]]


def _bodies(
    control: bytes, candidate: bytes, heads: tuple[Head, Head], rules: Rules, decode: Decoder | None
) -> Bodies | str:
    ours, theirs = unpacked(control, heads[0].encoding), unpacked(candidate, heads[1].encoding)
    if isinstance(ours, Unreadable) or isinstance(theirs, Unreadable):
        return _blame(ours, theirs)
    if ours == theirs:
        return [], set()
    our_tree, their_tree = read_tree(ours, heads[0], decode), read_tree(theirs, heads[1], decode)
    if isinstance(our_tree, Unreadable) or isinstance(their_tree, Unreadable):
        return _blame(our_tree, their_tree)
    if our_tree is not None and their_tree is not None:
        return _trees(our_tree, their_tree, rules)
    if is_text(heads[0].media):
        return _texts(ours, theirs, heads)
    return [Found((), "length" if len(ours) != len(theirs) else "value", ours, theirs)], set()


def _blame(control: object, candidate: object) -> str:
    ours = control.reason if isinstance(control, Unreadable) else None
    theirs = candidate.reason if isinstance(candidate, Unreadable) else None
    if ours and theirs:
        return f"{ours}:both" if ours == theirs else f"{ours}:control,{theirs}:candidate"
    return f"{ours}:control" if ours else f"{theirs}:candidate"


def _trees(control: Document, candidate: Document, rules: Rules) -> Bodies:
    if control.compact and control.compact == candidate.compact:
        return [], set()
    has_truth_values = _may_have_truth_values(control) or _may_have_truth_values(candidate)
    result = walk(control.tree, candidate.tree, rules, has_truth_values=has_truth_values)
    return result.found, result.notes


def _may_have_truth_values(document: Document) -> bool:
    return not document.compact or b"true" in document.compact or b"false" in document.compact


def _texts(control: bytes, candidate: bytes, heads: tuple[Head, Head]) -> Bodies | str:
    ours, theirs = read_text(control, heads[0].charset), read_text(candidate, heads[1].charset)
    if isinstance(ours, Unreadable) or isinstance(theirs, Unreadable):
        return _blame(ours, theirs)
    return ([], {"charset"}) if ours == theirs else ([Found((), "value", ours, theirs)], set())


def _shown(found: list[Found], redactor: Redactor | None) -> tuple[Difference, ...]:
    """Differences as they may leave: one for each path pattern and kind, in the order of the document."""
    redactor = redactor or installed()
    shown: dict[tuple[str, str], Difference] = {}
    for path, kind, control, candidate in found:
        in_head = bool(path) and isinstance(path[0], str) and (path[0] == "status" or path[0].startswith("header:"))
        pattern = str(path[0]) if in_head else path_pattern(path)
        if (pattern, kind) not in shown:
            place = pattern if in_head else path_place(path)
            values = _value(control, pattern, redactor), _value(candidate, pattern, redactor)
            shown[pattern, kind] = Difference(pattern, kind, *values, place)
        if len(shown) == DIFFERENCES_SHOWN_MAX:
            break
    return tuple(shown.values())


def _value(value: Any, pattern: str, redactor: Redactor) -> str | None:
    if value is NOTHING:
        return None
    # A status and a media type are of the protocol and say nothing about anybody.
    return str(value) if pattern in ("status", "header:content-type") else redactor.shown(value)
