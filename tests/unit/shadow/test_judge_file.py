import base64
import json
from typing import Any

import pytest

from config.model import Routes
from shadow.judge_file import LineInvalid, UnknownRoute, judge_lines

ROUTES = Routes.model_validate({
    "version": 1,
    "upstreams": {"a": {"url": "http://127.0.0.1:1"}},
    "capabilities": {"accounts": {"legacy": "a", "modern": "a"}},
    "routes": [
        {"match": "GET /a", "name": "account", "capability": "accounts",
         "compare": {"ignore": ["$.at"], "protect": ["$.bal"]}},
        {"match": "POST /cics", "capability": "accounts"},
    ],
})  # fmt: skip


def observation(body: bytes, media: str = "application/json", status: int = 200) -> dict[str, Any]:
    return {"status": status, "headers": [["content-type", media]], "body_base64": base64.b64encode(body).decode()}


def line(control: bytes, candidate: bytes, route: str = "account", media: str = "application/json") -> bytes:
    pair = {"route": route, "control": observation(control, media), "candidate": observation(candidate, media)}
    return json.dumps(pair).encode() + b"\n"


def results(*lines: bytes, **options: Any) -> list[dict[str, object]]:
    return [result for result, _ in judge_lines(lines, ROUTES, **options)]


def test_each_line_has_its_verdict_under_the_routes_rules() -> None:
    found = results(
        line(b'{"bal":1.50,"at":1}', b'{"bal":1.50,"at":1}'),
        line(b'{"bal":1.50,"at":1}', b'{"at":2,"bal":1.5}'),
        line(b'{"bal":1.50,"at":1}', b'{"bal":1.51,"at":2}'),
        b"\n",
        line(b'{"items":[{"a":1},{"a":2}]}', b'{"items":[{"a":1},{"a":3}],"more":1}'),
        line(b"{", b"{}"),
    )
    assert found == [
        {"verdict": "equal", "reason": None, "differences": []},
        {"verdict": "equivalent", "reason": "ignored,key_order,number_scale", "differences": []},
        {"verdict": "different", "reason": None, "differences": [{"path": "$.bal", "kind": "value"}]},
        {"verdict": "different", "reason": None, "differences": [
            {"path": "$.items[*].a", "kind": "value"}, {"path": "$.more", "kind": "extra"},
        ]},
        {"verdict": "incomparable", "reason": "malformed_json:control", "differences": []},
    ]  # fmt: skip


def test_fixed_width_is_read_by_the_given_decoder() -> None:
    def decode(raw: bytes) -> object:
        return {"RC": raw.decode("cp037")}

    block = line("00".encode("cp037"), "14".encode("cp037"), "POST /cics", "application/octet-stream")
    assert results(block, decoders={"POST /cics": decode})[0]["differences"] == [{"path": "$.RC", "kind": "value"}]
    assert results(block)[0]["differences"] == [{"path": "$", "kind": "value"}]


@pytest.mark.parametrize(
    "text",
    [b"x", b"[]", b'{"route":"account"}', b"\xff", b"[" * 5000, line(b"{}", b"{}").replace(b"e30=", b"e3!=")],
)
def test_a_line_that_is_no_pair_is_named_by_its_number(text: bytes) -> None:
    with pytest.raises(LineInvalid) as caught:
        results(line(b"{}", b"{}"), text)
    assert caught.value.number == 2
    assert "Line 2 is not a pair of answers" in str(caught.value)


def test_an_unknown_route_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownRoute) as caught:
        results(line(b"{}", b"{}", route="nothing"))
    assert "'nothing'" in str(caught.value)
    assert "account; POST /cics" in str(caught.value)


def test_lines_are_judged_one_by_one_as_they_come() -> None:
    def endless() -> Any:
        while True:
            yield line(b"{}", b"{}")

    assert next(judge_lines(endless(), ROUTES))[0]["verdict"] == "equal"
