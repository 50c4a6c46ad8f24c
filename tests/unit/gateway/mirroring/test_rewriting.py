import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.match import parse_match
from config.paths import parse_pattern
from gateway.mirroring.rewriting import UNKNOWN, UNREADABLE, NotRewritten, rewritten
from gateway.routing.carriers import Carriers
from shadow.correspondence import Id

PARTNERS: dict[tuple[str, str], Id] = {
    ("transfer", "4711"): "t/9 ü", ("transfer", "4712"): 8, ("transfer", "a b"): "t-7", ("account", "1"): "A1",
}  # fmt: skip
MATCH = parse_match("GET /accounts/{account}/transfers/{transfer}")
CARRIERS = Carriers(
    ((1, "account"), (3, "transfer")),
    {b"after": "transfer"},
    ((parse_pattern("$.reverses"), "transfer"), (parse_pattern("$.all[*].id"), "transfer")),
)
HEAD = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nX-Shadow: mirror\r\n\r\n"


def partner(name: str, spelt: str) -> Id | None:
    return PARTNERS.get((name, spelt))


def sent(target: bytes, body: bytes = b"", head: bytes = HEAD) -> tuple[bytes, bytes]:
    found = rewritten((head % (target, len(body)), body), CARRIERS, partner)
    return found[0].split(b" ")[1], found[1]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/accounts/1/transfers/4711", b"/accounts/A1/transfers/t%2F9%20%C3%BC"),
        (b"/accounts/%31/transfers/4712?x=4711&y", b"/accounts/A1/transfers/8?x=4711&y"),
        (b"/accounts/1/transfers/a%20b?after=4711&after=a+b&after=", b"/accounts/A1/transfers/t-7?after=t%2F9%20%C3%BC&after=t-7&after="),
    ],
)  # fmt: skip
def test_path_and_query_get_the_other_sides_ids_and_nothing_else_changes(target: bytes, expected: bytes) -> None:
    assert sent(target) == (expected, b"")


def test_members_of_a_json_body_are_exchanged_and_every_other_number_keeps_its_spelling() -> None:
    body = b'{ "amount": 10.50, "reverses": 4711, "all": [{"id": "4712", "n": 1e2}, {"other": 1}, 5], "note": "4711" }'
    path, changed = sent(b"/accounts/1/transfers/4712", body)
    assert path == b"/accounts/A1/transfers/8"
    assert json.loads(changed, parse_float=Decimal) == {
        "amount": Decimal("10.50"), "reverses": "t/9 ü", "all": [{"id": 8, "n": Decimal("1e2")}, {"other": 1}, 5],
        "note": "4711",
    }  # fmt: skip
    assert b"10.50" in changed
    assert b"1e2" in changed
    head, body = rewritten((HEAD % (b"/accounts/1/transfers/4712", len(body)), body), CARRIERS, partner)
    assert b"\r\nContent-Length: %d\r\nX-Shadow" % len(changed) in head


@pytest.mark.parametrize(
    ("target", "body", "reason"),
    [
        (b"/accounts/1/transfers/9", b"", UNKNOWN),
        (b"/accounts/1/transfers/4711?after=9", b"", UNKNOWN),
        (b"/accounts/1/transfers/4711", b'{"reverses": 9}', UNKNOWN),
        (b"/accounts/1/./transfers/4711", b"", UNREADABLE),
        (b"/accounts//1/transfers/4711", b"", UNREADABLE),
        (b"/accounts/%FF/transfers/4711", b"", UNKNOWN),
    ],
)
def test_a_copy_with_an_id_that_nobody_knows_is_not_sent(target: bytes, body: bytes, reason: str) -> None:
    with pytest.raises(NotRewritten) as refused:
        sent(target, body)
    assert refused.value.reason == reason


def test_a_compressed_body_may_carry_an_id_that_cannot_be_seen() -> None:
    head = HEAD.replace(b"Host: x", b"Host: x\r\ncontent-encoding: gzip")
    with pytest.raises(NotRewritten, match=UNREADABLE):
        sent(b"/accounts/1/transfers/4711", b"\x1f\x8b", head)


@given(
    st.binary(max_size=40) | st.sampled_from([b"{", b"[" * 9000, b'{"all": {"id": 1}}', b'{"reverses": null}', b"4711"])
)
def test_a_body_that_carries_no_id_stays_as_it_is(body: bytes) -> None:
    try:
        members: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        members = None
    if not (isinstance(members, dict) and ({"reverses", "all"} & members.keys())):
        assert sent(b"/accounts/1/transfers/4711", body)[1] == body
