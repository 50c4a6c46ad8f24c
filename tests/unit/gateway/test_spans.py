"""What is exported is in tests/scenarios/test_gateway_is_observed.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.serving import Tracing
from gateway import spans
from gateway.spans import Spans, TracingNotInstalled, is_sampled, must_be_installed
from gateway.wire import headers

TRACE = b"0af7651916cd43dd8448eb211c80319c"
HEAD = b"GET / HTTP/1.1\r\nHost: bank\r\nTraceparent: 00-" + TRACE + b"-b7ad6b7169203331-%b\r\nAccept: */*\r\n\r\n"


@given(st.binary(min_size=16, max_size=16))
def test_a_trace_is_sampled_by_every_gateway_or_by_none(raw: bytes) -> None:
    trace_id = raw.hex().encode()
    assert is_sampled(trace_id, 1.0)
    assert not is_sampled(trace_id, 0.0)
    assert is_sampled(trace_id, 0.7) >= is_sampled(trace_id, 0.3)


@pytest.mark.parametrize("is_from_client", [True, False])
def test_the_upstreams_parent_is_our_span_and_nothing_else_of_the_head_changes(is_from_client: bool) -> None:
    one = Spans(Tracing(endpoint="http://127.0.0.1:1/v1/traces", sample=0.0))
    asking: Any = SimpleNamespace(facts={headers.TRACEPARENT: b"x"} if is_from_client else {})
    head = HEAD % b"01"
    joined = one.joined(head, asking)
    assert len(joined) == len(head)
    assert joined.replace(joined[43:102], b"") == head.replace(head[43:102], b"")
    if is_from_client:
        assert TRACE in joined
        assert b"b7ad6b7169203331-01" not in joined
        assert joined.count(b"-01\r\n") == 1, "the client's sampling stays"
    else:
        assert joined == HEAD % b"00", "the ids that the gateway made, and our own sampling"
    one.close()


def test_the_missing_extra_is_said_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "find_spec", lambda name: None)
    with pytest.raises(TracingNotInstalled, match=r"pip install 'strangler\[otel\]'"):
        must_be_installed()
