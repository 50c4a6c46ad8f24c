from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.idempotency.seal import KEYS_VARIABLE, Sealer, SealKeysUnusable, sealer

ONE, OTHER = bytes(32), bytes(range(32))


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_was_sealed_opens_beside_its_owner_only(data: bytes, owner: bytes) -> None:
    sealed = Sealer([ONE]).seal(data, owner)
    assert Sealer([OTHER, ONE]).open(sealed, owner) == data
    assert Sealer([ONE]).open(sealed, owner + b"x") is None
    assert Sealer([OTHER]).open(sealed, owner) is None, "the key is gone"


@given(st.integers(0, 70))
def test_a_changed_bit_is_noticed(place: int) -> None:
    sealed = bytearray(Sealer([ONE]).seal(b"an answer of a bank, sealed", b"row"))
    sealed[place % len(sealed)] ^= 1
    assert Sealer([ONE]).open(bytes(sealed), b"row") is None


def test_a_new_key_in_front_seals_and_the_old_one_still_opens() -> None:
    def keys(*given: bytes) -> dict[str, str]:
        return {KEYS_VARIABLE: ",".join(base64.b64encode(key).decode() for key in given)}

    before = sealer(keys(ONE)).seal(b"x", b"row")
    after = sealer(keys(OTHER, ONE))
    assert after.open(before, b"row") == b"x"
    assert sealer(keys(OTHER)).open(after.seal(b"y", b"row"), b"row") == b"y"


@pytest.mark.parametrize(
    ("text", "what"), [("", "is not set"), (" ", "is not set"), ("?", "is not base64"), ("AAAA", "32 bytes")]
)
def test_without_a_usable_key_nothing_starts_and_the_value_is_not_shown(text: str, what: str) -> None:
    with pytest.raises(SealKeysUnusable, match=what) as raised:
        sealer({KEYS_VARIABLE: text})
    assert "AAAA" not in str(raised.value)
    assert "openssl rand" in raised.value.hint
