from decimal import Decimal

import pytest

from legacy_adapter import blocks, wire
from legacy_adapter.codec import decode, encode


def transfer(**changes):
    values = {"TRAN": "XFER", "REF": "r-1", "FROM": "2000000001", "TO": "2000000002", "AMOUNT": Decimal("12.34")}
    return encode(blocks.layout("xfer-req"), values | changes)


def test_requests_are_read_by_their_first_four_bytes():
    assert blocks.read_block("INQA2000000001".encode("cp037")) == blocks.Inquiry("2000000001")
    order = wire.TransferOrder("r-1", "2000000001", "2000000002", Decimal("12.34"), None)
    assert blocks.read_block(transfer()) == order


@pytest.mark.parametrize(
    ("data", "request_read"),
    [
        (b"", blocks.Unreadable("")),
        ("NOPE".encode("cp037"), blocks.Unreadable("NOPE")),
        ("INQA1".encode("cp037"), blocks.Unreadable("INQA")),
        (transfer(AMOUNT=Decimal("-1.00")), blocks.Unreadable("XFER", "r-1")),
        (transfer(AMOUNT=None), blocks.Unreadable("XFER", "r-1")),
        (transfer(AMOUNT=b"\x40" * 6), blocks.Unreadable("XFER")),
        (transfer(REF=""), blocks.Unreadable("XFER")),
    ],
)
def test_what_is_no_request_gets_return_code_30(data, request_read):
    assert blocks.read_block(data) == request_read
    reply = blocks.unreadable_reply(request_read)
    assert reply[:6].decode("cp037") == f"{request_read.transaction:4}30"


def test_the_reply_of_an_account():
    account = blocks.Account("2000000001", "10000001", "C", "GBP", Decimal("-1234.50"), "00")
    record = decode(blocks.layout("inqa-reply"), blocks.inquiry_reply("00", account.number, account))
    assert record.findings == ()
    assert record.values == {
        "TRAN": "INQA",
        "RC": "00",
        "ACCT-NO": "2000000001",
        "CUST-NO": "10000001",
        "ACCT-TYP": "C",
        "CCY": "GBP",
        "BALANCE": Decimal("-1234.50"),
        "STATUS": "00",
    }


def test_numbers_that_are_not_there_are_low_values():
    assert blocks.inquiry_reply("14", "9999999999")[28:35] == bytes(7)
    assert blocks.transfer_reply("51", "r-1")[-7:] == bytes(7)
    assert blocks.transfer_reply("00", "r-1", Decimal("1.00"))[-7:] == bytes.fromhex("0000000000100c")
