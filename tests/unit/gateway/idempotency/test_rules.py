from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.idempotency.rules import (
    Fingerprint,
    Kept,
    Record,
    digest_of,
    key_of,
    mismatch_of,
    packed,
    refusal_of,
    unpacked,
    was_not_done,
)

VISIBLE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\,'), min_size=1, max_size=255
)


@given(VISIBLE)
def test_a_key_is_the_same_quoted_and_bare(key: str) -> None:
    assert key_of([(b"Idempotency-KEY", key.encode())]) == key_of([(b"idempotency-key", f'"{key}"'.encode())]) != None  # noqa: E711


@pytest.mark.parametrize(
    "values", [[b""], [b'""'], [b'"a'], [b"a b"], [b'"a";p=1'], [b"x" * 256], [b"a", b"a"], [b"\xc3\xa4"]]
)
def test_what_is_no_key_is_refused(values: list[bytes]) -> None:
    with pytest.raises(ValueError, match="not one key"):
        key_of([(b"Idempotency-Key", value) for value in values])


@given(st.lists(st.binary(max_size=20), max_size=5), st.binary(max_size=9))
def test_a_fingerprint_does_not_depend_on_how_the_body_was_cut(pieces: list[bytes], more: bytes) -> None:
    one, other = Fingerprint(b"POST", b"Bank", b"/x"), Fingerprint(b"POST", b"bank", b"/x")
    for piece in pieces:
        one.body(piece)
    other.body(b"".join(pieces))
    assert one.digest() == other.digest()
    one.body(more)
    assert (one.digest() == other.digest()) == (not more)


def test_parts_of_a_digest_cannot_borrow_bytes_of_one_another() -> None:
    assert digest_of(b"ab", b"c") != digest_of(b"a", b"bc")
    assert Fingerprint(b"PUT", b"h", b"/").digest() != Fingerprint(b"PUT", b"h/", b"").digest()


@given(st.builds(Kept, st.binary(), st.binary(), st.integers(100, 599), st.none() | st.binary(),
                 st.lists(st.tuples(st.binary(), st.binary())), st.none() | st.binary()))  # fmt: skip
def test_what_is_kept_comes_back_as_it_was(kept: Kept) -> None:
    assert unpacked(packed(kept)) == kept


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record("begun", True, None), "idempotency_in_progress"),
        (Record("begun", False, None), "idempotency_unknown"),
        (Record("unknown", True, b"x"), "idempotency_unknown"),
        (Record("answered", False, b"x"), None),
    ],
)
def test_a_key_that_is_taken_is_never_sent_again(record: Record, reason: str | None) -> None:
    assert refusal_of(record) == reason


def test_an_answer_belongs_to_one_caller_and_one_request() -> None:
    kept = Kept(b"ada", b"print", 200, b"OK", [], b"body")
    assert mismatch_of(kept, b"ada", b"print") is None
    assert mismatch_of(kept, b"bob", b"print") == mismatch_of(kept, b"ada", b"other") == "idempotency_key_reused"
    assert mismatch_of(Kept(b"ada", b"print"), b"ada", b"print") == "idempotency_answer_gone"


def test_only_an_answer_that_says_so_was_not_done() -> None:
    assert all(was_not_done(status, []) for status in (401, 403, 407, 429))
    assert not any(was_not_done(status, []) for status in (200, 201, 400, 404, 409, 422, 500, 502, 503, 504))
    assert was_not_done(503, [b"Retry-After"])
    assert not was_not_done(500, [b"Retry-After"])
