import base64

import pytest

from shadow.vault import SampleKeysInvalid, Sealed, Vault, vault_of

OLD, NEW = b"o" * 32, b"n" * 32


def environ(*keys: tuple[str, bytes]) -> dict[str, str]:
    return {"STRANGLER_SAMPLE_KEYS": ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in keys)}


def test_the_first_key_seals_and_all_of_them_open() -> None:
    before = vault_of(environ(("2025", OLD)))
    after = vault_of(environ(("2026", NEW), ("2025", OLD)))
    assert before is not None
    assert after is not None
    sealed = before.seal(b"a pair", "here")
    assert b"a pair" not in sealed.data
    assert after.open(sealed, "here") == b"a pair"
    assert after.seal(b"x", "here").key_id == "2026"


def test_a_record_whose_key_is_gone_that_was_moved_or_changed_does_not_open() -> None:
    vault = Vault({"a": OLD})
    sealed = vault.seal(b"a pair", "here")
    assert Vault({"b": OLD}).open(sealed, "here") is None
    assert Vault({"a": NEW}).open(sealed, "here") is None
    assert vault.open(sealed, "there") is None
    for at in range(len(sealed.data)):
        changed = bytearray(sealed.data)
        changed[at] ^= 1
        assert vault.open(Sealed("a", bytes(changed)), "here") is None
    assert vault.open(Sealed("a", b""), "here") is None


def test_the_same_record_is_never_sealed_the_same_way_twice() -> None:
    vault = Vault({"a": OLD})
    assert vault.seal(b"x", "").data != vault.seal(b"x", "").data


@pytest.mark.parametrize(
    "text", ["abc", "a:!!", "a:AAAA", ":AAAA", "a b:AAAA", "a:" + "A" * 43 + "=,a:" + "A" * 43 + "="]
)
def test_keys_that_cannot_be_used_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SampleKeysInvalid) as caught:
        vault_of({"STRANGLER_SAMPLE_KEYS": text})
    assert "AAAA" not in str(caught.value)


def test_without_keys_there_is_no_vault() -> None:
    assert vault_of({}) is None
