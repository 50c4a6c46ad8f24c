from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_adapter.codec.copybook import parse_copybook
from legacy_adapter.codec.record import CodepageUnknown, EncodeRefused, Finding, decode, encode

LAYOUT = parse_copybook("""
 01 R.
   05 TRAN PIC X(4).
   05 BALANCE PIC S9(3)V99 COMP-3.
   05 COUNTS PIC S9(4) COMP OCCURS 2.
   05 LINES-OF OCCURS 2.
      10 CODE-OF PIC 9(2).
      10 DELTA PIC S9(2)V9.
   05 VIEW-A PIC X(3).
   05 VIEW-B REDEFINES VIEW-A PIC 9(3).
   05 FILLER PIC X(2).
""")
VALUES = {
    "TRAN": "INQA",
    "BALANCE": Decimal("-1.50"),
    "COUNTS": [Decimal(7), Decimal(-7)],
    "LINES-OF": [{"CODE-OF": Decimal(1), "DELTA": Decimal("1.5")}, {"CODE-OF": None, "DELTA": Decimal("-1.5")}],
    "VIEW-A": "042",
}


def test_values_are_written_and_read_exactly():
    data = encode(LAYOUT, VALUES)
    assert data[:4] == "INQA".encode("cp037")
    record = decode(LAYOUT, data)
    assert record.findings == ()
    assert record.residue == {}
    assert record.values == {**VALUES, "VIEW-B": Decimal(42), "FILLER": ""}


@settings(max_examples=300)
@given(st.data(), st.sampled_from(["cp037", "cp1140", "cp500", "ascii", "cp424", "utf-8", "utf-7"]))
def test_every_byte_round_trips(data, codepage):
    raw = data.draw(st.one_of(st.binary(min_size=26, max_size=26), st.binary(max_size=40)))
    assert LAYOUT.length == 26
    record = decode(LAYOUT, raw, codepage)
    assert encode(LAYOUT, record.values, codepage, record.residue) == raw
    if not record.residue:
        assert encode(LAYOUT, record.values, codepage) == raw


def test_bytes_that_are_no_number_stay_bytes_and_are_found_with_their_place():
    data = bytearray(encode(LAYOUT, VALUES))
    data[4:7] = b"\x40\x40\x40"
    data[13:16] = b"\xc1\x40\xf1"
    record = decode(LAYOUT, bytes(data))
    assert record.values["BALANCE"] == b"\x40\x40\x40"
    assert [(finding.offset, finding.field) for finding in record.findings] == [
        (4, "BALANCE"),
        (13, "LINES-OF[0].DELTA"),
    ]
    assert "half byte" in record.findings[0].what


def test_low_values_are_no_number_and_nothing_wrong():
    data = bytearray(encode(LAYOUT, VALUES))
    data[4:7] = bytes(3)
    record = decode(LAYOUT, bytes(data))
    assert record.values["BALANCE"] is None
    assert record.findings == ()


def test_low_values_inside_text_are_found():
    data = bytearray(encode(LAYOUT, VALUES))
    data[2] = 0
    assert decode(LAYOUT, bytes(data)).findings == (Finding(2, "TRAN", "X'00' inside text"),)


def test_the_residue_gives_way_to_a_new_value():
    raw = bytes.fromhex("12345F")
    layout = parse_copybook("05 A PIC S9(5) COMP-3.")
    record = decode(layout, raw)
    assert record.residue == {"A": raw}
    assert encode(layout, record.values, residue=record.residue) == raw
    assert encode(layout, {"A": Decimal(1)}, residue=record.residue) == bytes.fromhex("00001C")


def test_a_record_of_another_length_is_a_finding_and_not_read():
    record = decode(LAYOUT, b"\xf0" * 3)
    assert record.values == {}
    assert record.findings == (Finding(3, "R", "the record has 3 bytes and the copybook 26"),)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"TRAN": "INQAX"}, "TRAN .* longer than 4"),
        ({"TRAN": "\u20ac"}, "TRAN .* not in cp037"),
        ({"TRAN": 1}, "TRAN .* not text"),
        ({"BALANCE": 1.5}, "BALANCE .* not an exact number"),
        ({"BALANCE": Decimal("0.001")}, "BALANCE .* decimal places"),
        ({"COUNTS": [Decimal(1)]}, "COUNTS .* list of 2"),
        ({"COUNTS": [Decimal(1), None]}, r"COUNTS\[1\]"),
        ({"LINES-OF": [1, 2]}, r"LINES-OF\[0\] .* object"),
        ({"NEW": 1}, "NEW .* no field"),
        ({"VIEW-B": Decimal(43)}, "VIEW-B .* contradicts"),
        ({"VIEW-A": b"\x00"}, "VIEW-A .* 1 bytes and not 3"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_field(change, what):
    with pytest.raises(EncodeRefused, match=what):
        encode(LAYOUT, {**VALUES, **change})


def test_a_missing_field_is_refused():
    with pytest.raises(EncodeRefused, match=r"TRAN .* missing"):
        encode(LAYOUT, {name: value for name, value in VALUES.items() if name != "TRAN"})


@pytest.mark.parametrize("codepage", ["cp9999", "utf-16", "hex", "undefined"])
def test_a_code_page_that_is_none_is_refused(codepage):
    with pytest.raises(CodepageUnknown):
        decode(LAYOUT, bytes(26), codepage)
