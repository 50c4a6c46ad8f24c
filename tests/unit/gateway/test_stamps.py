from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.stamps import NEVER, has_seen, set_cookie, stamp_in


@given(st.integers(0, NEVER))
def test_a_stamp_comes_back_as_it_was_sent(stamp: int) -> None:
    line = set_cookie(b"fresh", stamp, b"http")
    assert stamp_in(line.partition(b"=")[2].partition(b";")[0]) == stamp


@given(st.binary(max_size=20))
def test_what_is_not_a_stamp_is_never_fresh_and_never_an_error(value: bytes) -> None:
    stamp = stamp_in(value)
    assert stamp == NEVER or (len(value) == 16 and b"%016x" % stamp == value.lower())


def test_a_cookie_is_no_business_of_scripts_and_other_sites_and_over_tls_stays_there() -> None:
    line = set_cookie(b"fresh", 1, b"https")
    assert line.endswith(b"HttpOnly; SameSite=Lax; Secure\r\n")
    assert b"Max-Age=86400" in line
    assert b"Max-Age=3600" in set_cookie(b"fresh", NEVER, b"http")


def test_a_client_waits_for_what_it_was_told_it_wrote() -> None:
    def asks(cookie: bytes | None) -> Any:
        return SimpleNamespace(fields=[(b"Cookie", b"a=b; fresh=" + cookie)] if cookie is not None else [])

    plan: Any = SimpleNamespace(cookie=b"fresh", capability_index=0)
    freshness: Any = SimpleNamespace(arrived_until=lambda index: 100)
    assert has_seen(asks(None), plan, freshness)
    assert has_seen(asks(b"%016x" % 100), plan, freshness)
    assert not has_seen(asks(b"%016x" % 101), plan, freshness)
    assert not has_seen(asks(b"rubbish"), plan, freshness)
    assert has_seen(asks(b"rubbish"), SimpleNamespace(cookie=None), freshness), "off is off"
