import stat
import string
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.redact import (
    KEY_FILE,
    Redactor,
    coarse_shape,
    installation_key,
    is_card_number,
    is_iban,
    path_pattern,
    path_place,
    shape,
)
from tests.support.answers import REDACTOR

IBANS = ["GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606"]


def luhn(digits: str) -> str:
    total = sum(
        sum(divmod(2 * int(digit), 10)) if place % 2 == 0 else int(digit) for place, digit in enumerate(digits[::-1])
    )
    return digits + str(-total % 10)


CARDS = st.text(string.digits, min_size=12, max_size=18).map(luhn)


@given(CARDS)
def test_every_card_number_is_known_and_leaves_no_trace(card: str) -> None:
    assert is_card_number(card)
    spaced = " ".join(card[start : start + 4] for start in range(0, len(card), 4))
    for text in (card, spaced, f"card {card}, please", f"<pan>{card}</pan>"):
        redacted = REDACTOR.text(text)
        assert card not in redacted
        assert card[:6] not in redacted
        assert "PAN~" in redacted
    assert REDACTOR.shown(card).startswith(f"PAN({len(card)}) ~")


@given(CARDS, st.integers(1, 9))
def test_a_wrong_check_digit_is_no_card_number(card: str, off: int) -> None:
    wrong = card[:-1] + str((int(card[-1]) + off) % 10)
    assert not is_card_number(wrong)
    assert REDACTOR.text(wrong) == wrong


@pytest.mark.parametrize("iban", IBANS)
def test_ibans_by_their_remainder(iban: str) -> None:
    assert is_iban(iban)
    assert is_iban(" ".join(iban[start : start + 4] for start in range(0, len(iban), 4)))
    assert not is_iban(iban[:-1] + ("1" if iban[-1] != "1" else "2"))
    assert iban not in REDACTOR.text(f"to {iban} today")


@pytest.mark.parametrize("text", ["", "1234", "hello", "12:34", "GB", "2026-11-02T10:00:00", "9" * 12, "9" * 40])
def test_other_texts_stay(text: str) -> None:
    assert REDACTOR.text(text) == text


@given(st.text(max_size=60))
def test_equal_values_have_equal_tokens_and_no_value_is_in_them(value: str) -> None:
    assert REDACTOR.shown(value) == REDACTOR.shown(value)
    assert Redactor(b"another installation").shown(value) != REDACTOR.shown(value)
    if len(value) > 3 and value.isalnum() and any(character not in "0123456789Aa9X()~ abcdef" for character in value):
        assert value not in REDACTOR.shown(value)


def test_shapes_are_pictures() -> None:
    assert shape("1234.50") == "9(4).9(2)"
    assert shape("Mr Éa-1") == "Aa X(2)-9"
    assert shape("") == "empty"
    assert shape("\x1b[31m\u202e") == "?[9(2)a?"
    assert shape("a1" * 50).endswith("... (100 characters)")
    assert coarse_shape("9(4).9(2) ~abc") == "9.9"


def test_what_says_nothing_about_anybody_is_shown() -> None:
    shown = [REDACTOR.shown(value) for value in (None, True, False, {"a": 1}, [1, 2])]
    assert shown == ["null", "true", "false", "object(1)", "array(2)"]


def test_one_number_has_one_token_however_it_is_written() -> None:
    tokens = {REDACTOR.shown(number).partition("~")[2] for number in (Decimal("150.0"), Decimal("1.5E+2"), 150)}
    assert len(tokens) == 1


def test_names_that_are_data_do_not_become_paths() -> None:
    assert path_pattern(("accounts", "2000000001", "owners", 3, "name")) == "$.accounts.*.owners[*].name"
    assert path_place(("items", 3, "x y")) == "$.items[3]['x y']"
    assert path_pattern(("a'\x1b\"]",)) == "$['a\\u0027\\u001b\\\"]']"
    assert path_pattern(("n" * 65,)) == "$.*"


def test_the_key_comes_from_the_environment() -> None:
    assert installation_key({"STRANGLER_REDACTION_KEY": "k"}) == b"k"


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    environ = {"STRANGLER_RUN": str(tmp_path / "run")}
    key = installation_key(environ)
    assert len(key) == 32
    assert installation_key(environ) == key
    assert [path.name for path in (tmp_path / "run").iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((tmp_path / "run" / KEY_FILE).stat().st_mode) == 0o600
