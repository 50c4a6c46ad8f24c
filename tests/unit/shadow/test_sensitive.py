import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.sensitive import is_card_number, is_iban, masked
from tests.support.planted import card_number, iban

TOKEN = "0123abcd"


def hide(text: str) -> str:
    return masked(text, lambda _: TOKEN)


@pytest.mark.parametrize(
    "secret",
    [
        "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111", "GB82WEST12345698765432",
        "GB82 WEST 1234 5698 7654 32", "de89370400440532013000", "erika.muster+x@example-bank.co.uk",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "Bearer abcdefgh12345678", "a1B2c3D4e5F6a1B2c3D4e5F6a1B2",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "spelt",
    [
        lambda text: text,
        lambda text: f"before {text}, after",
        lambda text: f"/pay/{quote(text, safe='')}?q=1",
        lambda text: "".join(f"&#{ord(character)};" for character in text),
        lambda text: "".join(f"\\u00{ord(character):02x}" for character in text),
        lambda text: base64.b64encode(f"user {text} end".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    ],
)  # fmt: skip
def test_a_secret_is_found_however_it_is_spelt(secret: str, spelt: object) -> None:
    assert callable(spelt)
    shown = hide(spelt(secret))
    assert secret not in shown
    assert TOKEN in shown


@pytest.mark.parametrize(
    "text",
    ["0012345678", "2026-01-02T10:00:00.123456Z", "1234567890123", "GB00WEST12345698765432", "user@host", "192.168.0.1",
     "Erika Mustermann", "order-2026-000123", "100%", "&amp;", "550e8400"],
)  # fmt: skip
def test_what_says_nothing_about_anybody_stays(text: str) -> None:
    assert hide(text) == text


@given(st.randoms(use_true_random=False), st.integers(13, 19))
def test_a_card_number_of_any_length_is_one_until_a_digit_changes(chance: object, length: int) -> None:
    number = card_number(chance, length)  # type: ignore[arg-type]
    assert is_card_number(number)
    assert not is_card_number(number[:-1] + str((int(number[-1]) + 1) % 10))


@given(st.randoms(use_true_random=False))
def test_an_iban_is_one_until_a_digit_changes(chance: object) -> None:
    number = iban(chance)  # type: ignore[arg-type]
    assert is_iban(number)
    assert not is_iban(number[:-1] + ("1" if number[-1] != "1" else "2"))


@given(st.text(max_size=200))
def test_no_text_makes_it_raise(text: str) -> None:
    assert isinstance(hide(text), str)


def test_equal_secrets_have_equal_tokens_whatever_their_spelling() -> None:
    def token(value: bytes) -> str:
        return value.decode()

    assert masked("4111 1111 1111 1111", token) == masked("4111-1111-1111-1111", token)
