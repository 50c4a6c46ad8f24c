import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow import json_model
from shadow.json_model import Document, Unreadable, canonical, read_json, without_trailing_zeros

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed_json"),
        (b'{"a":1', "malformed_json"),
        (b'{"a":1,"a":2}', "duplicate_keys"),
        (b'{"x":[{"a":1,"b":2,"a":1}]}', "duplicate_keys"),
        (b'{"a":"\\u003a\\u003a","a":"::"}', "duplicate_keys"),
        (b"[NaN]", "not_a_number"),
        (b"[-Infinity]", "not_a_number"),
        (b'["NaN",x]', "malformed_json"),
        (b'"\xff\xfe"', "invalid_utf8"),
        (b"[" * 10_000 + b"]" * 10_000, "too_deep"),
        (b"1e99999999999999999999", "number_out_of_range"),
    ],
)
def test_a_body_without_a_tree_says_why(body: bytes, reason: str) -> None:
    assert read_json(body) == Unreadable(reason)


def test_a_body_beyond_the_bound_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_model, "BODY_BYTES_MAX", 10)
    assert read_json(b'"0123456789"') == Unreadable("too_large")


@given(ANY_JSON)
def test_nothing_is_lost_and_nothing_is_taken_for_a_duplicate(tree: object) -> None:
    for ascii_only in (True, False):
        document = read_json(json.dumps(tree, ensure_ascii=ascii_only).encode("utf-8", "replace"))
        assert isinstance(document, Document | Unreadable)
        if ascii_only and "\\ud" not in json.dumps(tree):
            assert isinstance(document, Document)
            assert document.tree == tree


def test_numbers_are_exact() -> None:
    document = read_json(b"[90071992547409.93, 1.10, 123456789012345678901234567890]")
    assert isinstance(document, Document)
    assert document.tree == [Decimal("90071992547409.93"), Decimal("1.10"), 123456789012345678901234567890]


@given(st.decimals(-(10**15), 10**15, allow_nan=False, places=6), st.integers(0, 5))
def test_the_canonical_form_forgets_scale_and_order_and_nothing_else(number: Decimal, zeros: int) -> None:
    scaled = Decimal(f"{number}{'0' * zeros}")
    assert canonical({"a": number, "b": 1}) == canonical({"b": 1, "a": scaled})
    assert canonical([number]) != canonical([number + Decimal("0.000001")])
    assert without_trailing_zeros(scaled) == scaled


def test_the_canonical_form_keeps_types_apart() -> None:
    forms = [canonical(tree) for tree in (1, True, "1", None, [], {}, [1], 0)]
    assert len(set(forms)) == len(forms)
