import copy
import gzip
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.comparing import Compare
from shadow.compare import DIFFERENCES_SHOWN_MAX, Verdict, compare
from shadow.correspondence import Belonging, Correspondence, Met
from shadow.rules import NO_RULES, Rules
from tests.support.answers import JSON_HEADERS, REDACTOR, answer, pair, verdict_on

NAMES = st.from_regex(r"[a-z][a-z_]{0,6}", fullmatch=True)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=16,
)
OBJECTS = st.dictionaries(NAMES, TREES, min_size=1, max_size=5)
OCTETS = (("content-type", "application/octet-stream"),)
TEXT = (("content-type", "text/plain"),)


def paths(verdict: Verdict) -> list[tuple[str, str]]:
    return [(difference.path, difference.kind) for difference in verdict.differences]


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(tree, dict) and tree:
        return [leaf for name, value in tree.items() for leaf in leaves(value, (*path, name))]
    if isinstance(tree, list) and tree:
        return [leaf for index, value in enumerate(tree) for leaf in leaves(value, (*path, index))]
    return [path]


def changed(tree: Any, path: tuple[Any, ...]) -> Any:
    tree = copy.deepcopy(tree)
    place = tree
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = "a value that no strategy here makes"
    return tree


def pattern_of(path: tuple[Any, ...]) -> str:
    return "$" + "".join("[*]" if isinstance(step, int) else f".{step}" for step in path)


def permuted(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: permuted(value) for name, value in reversed(tree.items())}
    return [permuted(member) for member in tree] if isinstance(tree, list) else tree


@given(st.binary(max_size=300), st.sampled_from([JSON_HEADERS, OCTETS, TEXT, ()]))
def test_any_answer_equals_itself(body: bytes, headers: Any) -> None:
    ours, theirs = answer(body, headers=headers), answer(body, headers=headers, side="modern")
    assert verdict_on(ours, theirs) == Verdict("equal")


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from([JSON_HEADERS, OCTETS, TEXT]))
def test_no_two_bodies_make_it_raise(control: bytes, candidate: bytes, headers: Any) -> None:
    verdict = verdict_on(answer(control, headers=headers), answer(candidate, headers=headers, side="modern"))
    assert verdict.kind in ("equal", "different", "incomparable")


@settings(max_examples=40)
@given(OBJECTS)
def test_permuted_names_are_equivalent(tree: Any) -> None:
    verdict = verdict_on(tree, permuted(tree))
    if json.dumps(tree) == json.dumps(permuted(tree)):
        assert verdict == Verdict("equal")
    else:
        assert verdict == Verdict("equivalent", "key_order")


@settings(max_examples=40)
@given(OBJECTS)
def test_white_space_and_escapes_make_no_difference(tree: Any) -> None:
    spaced = json.dumps(tree, indent=2, ensure_ascii=False).encode()
    assert verdict_on(json.dumps(tree).encode(), spaced) == Verdict("equal")


@settings(max_examples=40)
@given(OBJECTS, st.data())
def test_a_changed_leaf_is_different_at_exactly_its_path(tree: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(leaves(tree)))
    verdict = verdict_on(tree, changed(tree, path))
    assert verdict.kind == "different"
    assert [path_ for path_, _ in paths(verdict)] == [pattern_of(path)]


@settings(max_examples=40)
@given(OBJECTS, st.data())
def test_ignore_hides_only_its_path_and_protect_overrules_it(tree: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(leaves(tree)))
    other = changed(tree, path)
    rule = f"ignore {pattern_of(path)}"
    assert verdict_on(tree, other, Rules([pattern_of(path)])) == Verdict("equivalent", "ignored", rules=(rule,))
    assert verdict_on(tree, other, Rules(["$"], [pattern_of(path)])).kind == "different"
    assert verdict_on(tree, other, Rules([pattern_of((*path[:-1], "another"))])).kind == "different"


def test_money_is_compared_to_the_last_digit() -> None:
    verdict = verdict_on(b'{"bal":90071992547409.93}', b'{"bal":90071992547409.94}')
    assert paths(verdict) == [("$.bal", "value")]


@given(st.integers(-(10**15), 10**15), st.integers(1, 6), st.integers(1, 6))
def test_the_scale_of_a_number_is_no_difference(unscaled: int, scale: int, zeros: int) -> None:
    number = format(Decimal(unscaled).scaleb(-scale), "f")
    control, candidate = f'{{"a":{number}}}'.encode(), f'{{"a":{number}{"0" * zeros}}}'.encode()
    assert verdict_on(control, candidate) == Verdict("equivalent", "number_scale")


@pytest.mark.parametrize(
    ("control", "candidate", "reason"),
    [
        (b'{"a":1}', b'{"a":1', "malformed_json:candidate"),
        (b'{"a":1', b'{"a":1}', "malformed_json:control"),
        (b"{", b"[", "malformed_json:both"),
        (b'{"a":1,"a":1}', b'{"a":1}', "duplicate_keys:control"),
        (b"[NaN]", b"[1]", "not_a_number:control"),
        (b'"\xff"', b'"x"', "invalid_utf8:control"),
        (b"[" * 10_000 + b"]" * 10_000, b"[]", "too_deep:control"),
        (b"[" * 300 + b"]" * 300, b"[" * 301 + b"]" * 301, "too_deep"),
    ],
)
def test_what_cannot_be_read_is_incomparable_and_says_on_which_side(
    control: bytes, candidate: bytes, reason: str
) -> None:
    assert verdict_on(control, candidate) == Verdict("incomparable", reason)


def test_a_candidate_that_alone_is_broken_speaks_against_it() -> None:
    assert verdict_on(b"{}", b"{").counts_against
    assert not verdict_on(b"{", b"{}").counts_against
    assert not verdict_on(b"{", b"[").counts_against


def test_true_is_not_one_however_deep() -> None:
    verdict = verdict_on({"a": [{"b": {"c": True, "d": 1}}]}, {"a": [{"b": {"c": 1, "d": 1}}]})
    assert paths(verdict) == [("$.a[*].b.c", "type")]
    behind_a_rule = verdict_on({"at": 1, "x": {"c": True}}, {"at": 2, "x": {"c": 1}}, Rules(["$.at"]))
    assert paths(behind_a_rule) == [("$.x.c", "type")]


def test_status_and_type_come_before_bodies() -> None:
    verdict = verdict_on(answer({"a": 1}), answer({"a": 2}, status=404, side="modern"))
    assert paths(verdict) == [("status", "value")]
    assert verdict.differences[0].control_shown == "200"
    other = verdict_on(answer({"a": 1}), answer({"a": 1}, headers=TEXT, side="modern"))
    assert paths(other) == [("header:content-type", "value")]


def test_headers_of_the_transport_do_not_matter_and_those_of_meaning_do() -> None:
    ours = answer({}, headers=(*JSON_HEADERS, ("Date", "now")))
    assert (
        verdict_on(ours, answer({}, headers=(("content-type", "application/json; charset=utf-8"),), side="modern")).kind
        == "equal"
    )
    moved = verdict_on(ours, answer({}, headers=(*JSON_HEADERS, ("Location", "/a/1")), side="modern"))
    assert paths(moved) == [("header:location", "extra")]


def test_a_compressed_answer_equals_a_plain_one() -> None:
    packed = answer(gzip.compress(b'{"a":1}'), headers=(*JSON_HEADERS, ("Content-Encoding", "gzip")), side="modern")
    assert verdict_on(answer(b'{"a":1}'), packed).kind == "equal"


def test_fixed_width_is_compared_by_its_fields() -> None:
    def decode(raw: bytes) -> object:
        return {"TRAN": raw[:4].decode("cp037"), "BAL": Decimal(raw[4:].decode("cp037"))}

    def block(text: str) -> Any:
        return answer(text.encode("cp037"), headers=OCTETS)

    def judged(control: str, candidate: str) -> Verdict:
        return compare(pair(block(control), block(candidate)), NO_RULES, decode, REDACTOR)

    assert paths(judged("INQA0012.50", "INQA0012.51")) == [("$.BAL", "value")]
    assert judged("INQA0012.50", "INQA012.500").kind == "equivalent"
    assert judged("INQA0012.50", "INQAxxxxxxx") == Verdict("incomparable", "undecodable:candidate")


def test_text_differs_by_its_lines_and_other_bytes_as_a_whole() -> None:
    assert paths(verdict_on(answer(b"OK", headers=TEXT), answer(b"KO", headers=TEXT))) == [("$[*]", "value")]
    assert paths(verdict_on(answer(b"\x01", headers=OCTETS), answer(b"\x01\x02", headers=OCTETS))) == [("$", "length")]


def test_a_difference_that_is_gone_at_the_second_look_is_a_race() -> None:
    agreeing = (answer({"a": 2}), answer({"a": 2}, side="modern"))
    race = verdict_on({"a": 1}, {"a": 2}, again=agreeing)
    assert race.kind == "different"
    assert race.race
    assert race.agrees
    assert not race.counts_against
    still = verdict_on({"a": 1}, {"a": 2}, again=(answer({"a": 3}), answer({"a": 4}, side="modern")))
    assert not still.race
    assert not verdict_on({"a": 1}, {"a": 2}, again=(answer({"a": 3}), answer(b"{", side="modern"))).race


def test_what_is_shown_is_never_the_value() -> None:
    secrets = ["4111111111111111", "GB82WEST12345698765432", "Mrs Example", "1234.56"]
    verdict = verdict_on({"v": secrets, secrets[0]: 1}, {"v": [secret[::-1] for secret in secrets], secrets[0]: 2})
    shown = repr(verdict)
    assert verdict.kind == "different"
    assert not any(secret in shown or secret[::-1] in shown for secret in secrets)


@pytest.mark.parametrize("name", ["status", "status_text", "header:location", "cookie:SID"])
def test_a_member_named_like_a_part_of_the_head_is_a_member(name: str) -> None:
    verdict = verdict_on({name: "4111111111111111"}, {name: "5500000000000004"})
    assert verdict.differences[0].path.startswith("$")
    assert "4111111111111111" not in repr(verdict)


def test_differences_are_one_for_each_pattern_and_kind_and_bounded() -> None:
    many = verdict_on({"items": [{"a": 1}] * 50}, {"items": [{"a": 2}] * 50})
    assert paths(many) == [("$.items[*].a", "value")]
    wide = verdict_on({f"n{chr(97 + n)}{chr(97 + m)}": 1 for n in range(9) for m in range(9)}, {})
    assert len(wide.differences) == DIFFERENCES_SHOWN_MAX


OWN_IDS = Rules.of(Compare.model_validate({"rules": [{"path": "$..id", "id": "transfer", "reason": "each its own"}]}))


def with_ids(control: Any, candidate: Any, *known: tuple[Any, Any], **fields: Any) -> Verdict:
    ids = Correspondence()
    ids.put(Belonging("transfer", legacy, modern, 1.0) for legacy, modern in known)
    return compare(pair(control, candidate, **fields), OWN_IDS, None, REDACTOR, ids)


def test_ids_that_meet_for_the_first_time_belong_together_and_are_learned() -> None:
    verdict = with_ids({"id": 4711, "n": 1}, {"id": "t-9", "n": 1})
    assert (verdict.kind, verdict.reason, verdict.rules) == ("equivalent", "id", ("id $..id",))
    assert verdict.learned == (Met("transfer", 4711, "t-9"),)
    same = with_ids({"id": 4711}, {"id": 4711})
    assert (same.kind, same.learned) == ("equal", (Met("transfer", 4711, 4711),))


@pytest.mark.parametrize("known", [(4711, "t-8"), (4712, "t-9")])
def test_an_id_with_another_partner_differs_even_where_its_bytes_are_the_same(known: tuple[Any, Any]) -> None:
    assert paths(with_ids({"id": 4711}, {"id": "t-9"}, known)) == [("$.id", "value")]
    same = {"id": known[0]}
    assert paths(with_ids(same, same, known)) == [("$.id", "value")]
    assert with_ids({"id": known[0]}, {"id": known[1]}, known).kind == "equivalent"


def test_a_pair_that_differs_elsewhere_teaches_nothing() -> None:
    verdict = with_ids({"id": 4711, "n": 1}, {"id": "t-9", "n": 2})
    assert (paths(verdict), verdict.learned) == ([("$.n", "value")], ())
    broken = with_ids({"id": 4711}, b"{")
    assert (broken.kind, broken.learned) == ("incomparable", ())


def test_a_race_teaches_what_its_second_look_shows() -> None:
    again = answer({"id": 1, "n": 2}), answer({"id": "a", "n": 2}, side="modern")
    verdict = with_ids({"id": 1, "n": 1}, {"id": "z", "n": 2}, again=again)
    assert (verdict.race, verdict.learned) == (True, (Met("transfer", 1, "a"),))


def test_whoever_answered_first_legacys_id_stays_legacys() -> None:
    modern, legacy = answer({"id": "t-9"}, side="modern"), answer({"id": 4711}, side="legacy")
    verdict = compare(pair(modern, legacy), OWN_IDS, None, REDACTOR, Correspondence())
    assert verdict.learned == (Met("transfer", 4711, "t-9"),)


def test_ids_of_xml_are_learned_as_well() -> None:
    xml = (("content-type", "application/xml"),)
    control, candidate = (
        answer(b"<a><id>7</id></a>", headers=xml),
        answer(b"<a><id>t</id></a>", headers=xml, side="modern"),
    )
    assert with_ids(control, candidate).learned == (Met("transfer", "7", "t"),)
    assert with_ids(control, candidate, ("7", "u")).kind == "different"


def test_without_anybody_who_knows_ids_they_are_values() -> None:
    assert paths(compare(pair({"id": 1}, {"id": "a"}), OWN_IDS, None, REDACTOR)) == [("$.id", "type")]
    protected = Rules.of(Compare.model_validate({
        "protect": ["$.id"], "rules": [{"path": "$.id", "id": "transfer", "reason": "each its own"}],
    }))  # fmt: skip
    assert compare(pair({"id": 1}, {"id": 2}), protected, None, REDACTOR, Correspondence()).kind == "different"
