from decimal import Decimal

import msgspec
import pytest

from legacy_adapter import wire


def body(**changes):
    fields = {"ref": "r-1", "to": "2000000002", "amt": "12.34", "txt": "RENT"} | changes
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not ...})


def test_an_order_is_read_exactly():
    order = wire.read_order("2000000001", body())
    assert order == wire.TransferOrder("r-1", "2000000001", "2000000002", Decimal("12.34"), "RENT")
    assert wire.read_order("2000000001", body(txt=...)).text is None
    assert wire.read_order("2000000001", b'{"ref":"r","to":"x","amt":0.10}').amount == Decimal("0.10")


@pytest.mark.parametrize(
    "changes",
    [
        {"amt": amount}
        for amount in (
            "0",
            "0.00",
            "-1",
            "1.234",
            "1e2",
            "",
            "12,34",
            " 1",
            "1.",
            "٣",
            "99999999999",
            None,
            True,
            [],
            ...,
        )
    ]
    + [{"to": payee} for payee in ("", None, 7, "2000000001", "\x00", ...)]
    + [{"txt": text} for text in (7, "x" * 41, "a\x00b")],
)
def test_a_wrong_form_is_refused_under_its_reference(changes):
    assert wire.read_order("2000000001", body(**changes)) == wire.Refused("30", "r-1")


@pytest.mark.parametrize("reference", ["", None, 7, "x" * 37, "a\x00", ...])
def test_a_wrong_reference_is_refused_without_one(reference):
    assert wire.read_order("2000000001", body(ref=reference)) == wire.Refused("30", "")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"\xff", b'"x"', b"[" * 60_000, b'{"ref":"\\ud800"}', b'{"amt":1e999999999}']
)
def test_what_is_no_json_object_is_refused(text):
    assert wire.read_order("2000000001", text) == wire.Refused("30", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234.50", b"1234.5"),
        ("10.00", b"10"),
        ("0.00", b"0"),
        ("100", b"100"),
        ("-0.10", b"-0.1"),
        ("9999999999.99", b"9999999999.99"),
    ],
)
def test_numbers_are_exact_and_lose_their_trailing_zeros(value, text):
    assert wire.to_json({"bal": wire.number(Decimal(value))}) == b'{"bal":' + text + b"}"


@pytest.mark.parametrize(
    ("asked", "limit"), [(None, 20), ("5", 5), ("0", 20), ("21", 20), ("-1", 20), ("x", 20), ("9" * 5000, 20)]
)
def test_a_statement_is_never_longer_than_twenty(asked, limit):
    assert wire.statement_limit(asked) == limit


def test_every_refusal_has_its_words():
    for code in ("14", "20", "30", "51"):
        assert wire.refusal(code, "r") == {"rc": code, "ref": "r", "msg": wire.MESSAGES[code]}
    assert wire.not_found() == {"rc": "14", "msg": "ACCOUNT NOT FOUND"}
    assert wire.unavailable() == {"rc": "96", "msg": "SYSTEM UNAVAILABLE"}
