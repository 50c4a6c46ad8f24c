from decimal import Decimal

from legacy_adapter.blocks import layout
from legacy_adapter.codec import encode
from tests.unit.legacy_adapter.monolith.test_accounts import answer


def reply(block):
    response = answer("POST", "/cics", content=block)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/octet-stream")
    return response.content.decode("cp037")


def test_a_block_that_is_no_request_gets_return_code_30():
    assert reply(b"") == "    30"
    assert reply(b"x" * 5000) == "    30"
    assert reply("INQA".encode("cp037")).startswith("INQA30")


def test_a_database_that_is_away_is_return_code_96():
    values = {"TRAN": "XFER", "REF": "r", "FROM": "2000000001", "TO": "2000000002", "AMOUNT": Decimal(1)}
    assert reply(encode(layout("xfer-req"), values)).startswith("XFER96r ")
    assert reply("INQA2000000001".encode("cp037")).startswith("INQA962000000001 ")
