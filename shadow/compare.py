"""A pair of answers to a verdict: equal, equivalent, different, or incomparable with the reason.

The progression, each step final if it can tell: equal bytes under the same head; status; content type and the other
headers that mean something, cookies among them; then the bodies by what they are - as trees where a reader knows them,
else by their bytes. Nothing here raises on an answer, waits, or keeps state, so any pair may be judged again.

Worked example: control `{"id":1,"bal":10.50}`, candidate `{"bal":10.5,"id":1}`. The bytes differ, status and type do
not; both are JSON; the walk finds no difference but notes `key_order` and `number_scale`: equivalent. Had `bal` been
10.51, the verdict were different at `$.bal`. If the gateway's second look at both sides (`Pair.again`) then agrees,
the verdict is kept as a race: time, not the candidate, made the difference.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shadow.body import Decoder, is_html, is_text, is_xml, read_tree
from shadow.correspondence import Correspondence, Met
from shadow.found import NOTHING, Found, HeadPlace, Kind, Walk
from shadow.head_model import Head, head_of
from shadow.json_model import Document, Unreadable
from shadow.observation import Observation, Pair
from shadow.redact import Redactor, head_place, installed, is_protocol_word, path_pattern, path_place
from shadow.rules import Rules
from shadow.unpack import unpacked
from shadow.walk import TooDeep, walk
from shadow.xml_pair import read_changed

VerdictKind = Literal["equal", "equivalent", "different", "incomparable"]

DIFFERENCES_SHOWN_MAX = 32
FAULTS = frozenset({
    "malformed_json", "duplicate_keys", "not_a_number", "number_out_of_range", "invalid_utf8", "invalid_text",
    "undecodable", "malformed_encoding", "compression_bomb", "malformed_xml", "doctype", "malformed_form",
    "malformed_multipart", "malformed_csv", "ragged_csv", "duplicate_columns", "malformed_html",
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
    (`key_order,number_scale`); a race differed at first and agreed when both sides were asked again. `rules` are the
    names of the rules that took a difference for none; `reached` those that name something in it, if one looked.
    `foreign` says that a field that identifies a customer has another value on each side, be it a race or not.
    `learned` are ids that the pair, which agrees, has shown to belong together; they never leave the process."""

    kind: VerdictKind
    reason: str | None = None
    differences: tuple[Difference, ...] = ()
    race: bool = False
    rules: tuple[str, ...] = ()
    reached: tuple[str, ...] | None = None
    foreign: bool = False
    learned: tuple[Met, ...] = ()

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


def compare(
    pair: Pair,
    rules: Rules,
    decode: Decoder | None = None,
    redactor: Redactor | None = None,
    ids: Correspondence | None = None,
) -> Verdict:
    """The verdict on a pair, with its second look taken into account. `redactor` is the installation's by default, and
    `ids` are those known to belong together."""
    verdict = judge(pair.control, pair.candidate, rules, decode, redactor, ids)
    if verdict.kind != "different" or pair.again is None:
        return verdict
    again = judge(pair.again[0], pair.again[1], rules, decode, redactor, ids)
    if again.kind not in ("equal", "equivalent"):
        return verdict
    return msgspec.structs.replace(verdict, race=True, learned=again.learned)


def judge(
    control: Observation,
    candidate: Observation,
    rules: Rules,
    decode: Decoder | None = None,
    redactor: Redactor | None = None,
    ids: Correspondence | None = None,
) -> Verdict:
    """The verdict on two answers by themselves."""
    trusts = rules.trusts_equal_bytes
    is_same = control.status == candidate.status and control.body == candidate.body
    if trusts and is_same and control.headers == candidate.headers:
        return EQUAL
    ours, theirs = head_of(control, rules.headers), head_of(candidate, rules.headers)
    state = Walk(rules, ids=ids.meeting() if ids is not None and rules.has_ids else None)
    differing = head_differences((control.status, ours), (candidate.status, theirs), state)
    if (control.status != candidate.status or ours.media != theirs.media) and differing:
        return Verdict("different", None, _shown(differing, redactor), rules=_names(state))
    if trusts and control.body == candidate.body and ours.read_alike(theirs):
        return verdict_of(differing, state, redactor)
    try:
        reason = _bodies(control, candidate, (ours, theirs), (state, decode))
    except (TooDeep, RecursionError):
        return Verdict("incomparable", "too_deep")
    if reason is not None:
        return Verdict("incomparable", reason)
    return verdict_of([*differing, *state.found], state, redactor)


def verdict_of(found: list[Found], state: Walk, redactor: Redactor | None) -> Verdict:
    """The verdict that follows from what was found and what was let pass."""
    if found:
        rules = state.rules
        is_foreign = rules.has_identity and any(one.kind == "value" and rules.identifies(one.path) for one in found)
        return Verdict("different", None, _shown(found, redactor), rules=_names(state), foreign=is_foreign)
    learned = tuple(state.ids.learned) if state.ids is not None else ()
    if state.notes:
        return Verdict("equivalent", ",".join(sorted(state.notes)), rules=_names(state), learned=learned)
    return Verdict("equal", learned=learned) if learned else EQUAL


def _names(state: Walk) -> tuple[str, ...]:
    return tuple(sorted(state.used)) if state.used else ()


def head_differences(control: tuple[int, Head], candidate: tuple[int, Head], state: Walk) -> list[Found]:
    """The differences of both heads that no rule excuses; what excused the others is noted in the walk."""
    (our_status, ours), (their_status, theirs) = control, candidate
    found: list[Found] = []
    if our_status != their_status:
        found.append(Found((HeadPlace("status"),), "value", our_status, their_status))
    if ours.media != theirs.media:
        found.append(_one_of_head("header:content-type", ours.media or NOTHING, theirs.media or NOTHING))
    if ours.others != theirs.others:
        found += _members_differ("header:", ours.others, theirs.others)
    if ours.cookies != theirs.cookies:
        found += _members_differ("cookie:", *_cookies(ours.cookies, theirs.cookies))
    return [one for one in found if not _is_excused(one, state)] if found else found


def _members_differ(prefix: str, control: dict[str, str], candidate: dict[str, str]) -> list[Found]:
    names = sorted({*control, *candidate})
    pairs = ((name, control.get(name, NOTHING), candidate.get(name, NOTHING)) for name in names)
    return [_one_of_head(f"{prefix}{name}", ours, theirs) for name, ours, theirs in pairs if ours != theirs]


def _one_of_head(place: str, control: Any, candidate: Any) -> Found:
    kind: Kind = "extra" if control is NOTHING else "missing" if candidate is NOTHING else "value"
    return Found((HeadPlace(place),), kind, control, candidate)


def _cookies(*sides: dict[str, dict[str, str]]) -> list[dict[str, str]]:
    """Cookies as `NAME` for those that only one side sets, and `NAME.attribute` for those of both."""
    both = sides[0].keys() & sides[1].keys()
    flat: list[dict[str, str]] = []
    for cookies in sides:
        members = {name: "set" for name in cookies if name not in both}
        members |= {f"{name}.{attribute}": value for name in both for attribute, value in cookies[name].items()}
        flat.append(members)
    return flat


def _is_excused(found: Found, state: Walk) -> bool:
    excuse = state.rules.head_excuse(str(found.path[0]), found.kind, found.control, found.candidate)
    if excuse is None:
        return False
    state.notes.add(excuse.note)
    state.used.update(excuse.names)
    return True


def _bodies(
    control: Observation, candidate: Observation, heads: tuple[Head, Head], how: tuple[Walk, Decoder | None]
) -> str | None:
    """Compare both bodies into the walk; the reason if that cannot be done."""
    state, decode = how
    ours, theirs = unpacked(control.body, heads[0].encoding), unpacked(candidate.body, heads[1].encoding)
    if isinstance(ours, Unreadable) or isinstance(theirs, Unreadable):
        return _blame(ours, theirs)
    if ours == theirs and state.rules.trusts_equal_bytes and heads[0].content_type == heads[1].content_type:
        return None
    form = state.rules.form
    if is_xml(heads[0].media) and is_xml(heads[1].media) and not (state.rules.has_listings or state.rules.is_strict):
        trees: tuple[Document | Unreadable | None, Document | Unreadable | None] = read_changed(
            ours, theirs, (heads[0].charset, heads[1].charset)
        )
    else:
        trees = read_tree(ours, heads[0], form, decode), read_tree(theirs, heads[1], form, decode)
    our_tree, their_tree = trees
    if isinstance(our_tree, Unreadable) or isinstance(their_tree, Unreadable):
        return _blame(our_tree, their_tree)
    if our_tree is None or their_tree is None:
        if ours != theirs:
            state.add((), "length" if len(ours) != len(theirs) else "value", ours, theirs)
        return None
    compare_trees(our_tree, their_tree, state, legacy_is_control=control.side == "legacy")
    state.notes |= notes_on_bytes(heads, differ=ours != theirs)
    return None


def notes_on_bytes(heads: tuple[Head, Head], *, differ: bool) -> set[str]:
    """What a comparison of trees does not see of bodies whose bytes differ."""
    if not differ:
        return set()
    if is_html(heads[0].media):
        return {"markup"}
    return {"charset"} if heads[0].charset != heads[1].charset and is_text(heads[0].media) else set()


def _blame(control: object, candidate: object) -> str:
    ours = control.reason if isinstance(control, Unreadable) else None
    theirs = candidate.reason if isinstance(candidate, Unreadable) else None
    if ours and theirs:
        return f"{ours}:both" if ours == theirs else f"{ours}:control,{theirs}:candidate"
    return f"{ours}:control" if ours else f"{theirs}:candidate"


def compare_trees(control: Document, candidate: Document, state: Walk, *, legacy_is_control: bool) -> None:
    """Compare two trees into the walk. Raises TooDeep."""
    if control.notes or candidate.notes:
        state.notes |= control.notes | candidate.notes
    if control.compact and control.compact == candidate.compact and not state.rules.is_strict:
        return
    has_truth_values = control.is_markup or _may_have_truth_values(control) or _may_have_truth_values(candidate)
    rules = state.rules.for_markup if control.is_markup else state.rules
    result = walk(
        control.tree,
        candidate.tree,
        rules,
        has_truth_values=has_truth_values,
        legacy_is_control=legacy_is_control,
        ids=state.ids,
    )
    state.found += result.found
    if result.notes:
        state.notes |= result.notes
        state.used |= result.used


def _may_have_truth_values(document: Document) -> bool:
    return not document.compact or b"true" in document.compact or b"false" in document.compact


def _shown(found: list[Found], redactor: Redactor | None) -> tuple[Difference, ...]:
    """Differences as they may leave: one for each path pattern and kind, in the order of the document."""
    redactor = redactor or installed()
    shown: dict[tuple[str, str], Difference] = {}
    for path, kind, control, candidate in found:
        in_head = bool(path) and type(path[0]) is HeadPlace
        pattern = head_place(str(path[0])) if in_head else path_pattern(path)
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
    if pattern == "status" or (pattern == "header:content-type" and is_protocol_word(str(value))):
        return str(value)
    return redactor.shown(value)
