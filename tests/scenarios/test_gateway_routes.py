"""Who answers: the most specific route, its conditions, the stage, and the canary's key."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.gateways import Gateway, gateway
from tests.support.waiting import wait_until
from tests.support.wire import Client, Upstream, answer, upstream

ROUTES = """
version: 1
upstreams:
  monolith: {{url: "{legacy}"}}
  ledger: {{url: "{modern}"}}
default: monolith
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: {stage}, canary: {{percent: {percent}, key: "{key}"}}}}
  moved: {{legacy: monolith, modern: ledger, stage: modern}}
routes:
  - {{match: "* /accounts/{{id}}", capability: accounts}}
  - {{match: "GET /moved/{{rest...}}", capability: moved}}
  - {{match: "GET /moved/back", upstream: monolith}}
  - {{match: "POST /soap", capability: moved, when: {{soap: AccountInquiry}}}}
  - {{match: "POST /cics", capability: moved, when: {{body: {{offset: 2, equals: INQA, codepage: cp037}}}}}}
  - {{match: "POST /form", capability: moved, when: {{form: {{op: read}}}}}}
  - {{match: "GET /host", capability: moved, when: {{host: new.bank}}}}
"""


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Upstream, Upstream]]:
    with upstream() as legacy, upstream() as modern:
        yield legacy, modern


def routes(
    sides: tuple[Upstream, Upstream], percent: float = 50, key: str = "header:X-Id", stage: str = "canary"
) -> str:
    return ROUTES.format(legacy=sides[0].url, modern=sides[1].url, percent=percent, key=key, stage=stage)


@pytest.fixture(scope="module")
def running(sides: tuple[Upstream, Upstream]) -> Iterator[Gateway]:
    with gateway(routes(sides)) as one:
        yield one


@pytest.fixture
def gate(running: Gateway, sides: tuple[Upstream, Upstream]) -> Gateway:
    for side, name in zip(sides, (b"legacy", b"modern"), strict=True):
        side.reset()
        side.respond = answer(name)
    running.use(routes(sides))
    return running


def test_canary_splits_by_key_and_raising_it_moves_nobody_back(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    before: set[int] = set()
    with Client(gate.port) as http:
        for percent in (0, 10, 50, 100):
            gate.use(routes(sides, percent))
            now = {n for n in range(200) if http.get("/accounts/1", f"X-Id: {n}\r\n").body == b"modern"}
            assert before <= now
            assert abs(len(now) - 2 * percent) <= 20
            before = now
        assert http.get("/accounts/1").body == b"legacy"
        assert http.post("/accounts/1", b"", "X-Id: 1\r\n").body == b"legacy"


def token(claims: dict[str, object]) -> str:
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, "x"))


@pytest.mark.parametrize(
    ("key", "target", "fields"),
    [
        ("header:X-Id", "/accounts/1", "x-iD: 7\r\n"),
        ("cookie:id", "/accounts/1", "Cookie: a=1; id=7\r\n"),
        ("query:id", "/accounts/1?a=1&id=7", ""),
        ("path:id", "/accounts/7", ""),
        ("jwt:sub", "/accounts/1", f"Authorization: Bearer {token({'sub': 7})}\r\n"),
        ("client", "/accounts/1", ""),
    ],
)
def test_every_kind_of_key_reaches_modern(
    gate: Gateway, sides: tuple[Upstream, Upstream], key: str, target: str, fields: str
) -> None:
    gate.use(routes(sides, 100, key))
    with Client(gate.port) as http:
        assert http.get(target, fields).body == b"modern"
        if key not in ("path:id", "client"):
            assert http.get("/accounts/1").body == b"legacy"


def test_stages_decide_who_answers(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    found = {}
    with Client(gate.port) as http:
        for stage in ("legacy", "shadow", "canary", "modern", "retired"):
            gate.use(routes(sides, 100, "header:X-Id", stage))
            found[stage] = (http.get("/accounts/1", "X-Id: 1\r\n").body, http.post("/accounts/1", b"").body)
    assert found == {
        "legacy": (b"legacy", b"legacy"),
        "shadow": (b"legacy", b"legacy"),
        "canary": (b"modern", b"legacy"),
        "modern": (b"modern", b"modern"),
        "retired": (b"modern", b"modern"),
    }


SOAP = b'<?xml version="1.0"?><s:Envelope xmlns:s="x"><s:Header/><!-- <a> --><s:Body><m:%b xmlns:m="y"/></s:Body></s:Envelope>'


@pytest.mark.parametrize(
    ("target", "body", "fields", "expected"),
    [
        ("/soap", SOAP % b"AccountInquiry", "", b"modern"),
        ("/soap", SOAP % b"Transfer", "", b"legacy"),
        ("/soap", b"", 'SOAPAction: "urn:bank#AccountInquiry"\r\n', b"modern"),
        ("/cics", b"\0\0" + "INQA".encode("cp037") + b"\0" * 50_000, "", b"modern"),
        ("/cics", b"\0\0" + "XFER".encode("cp037"), "", b"legacy"),
        ("/cics", b"\0", "", b"legacy"),
        ("/form", b"a=1&op=read&b=2", "", b"modern"),
        ("/form", b"a=1&op=write", "", b"legacy"),
        ("/form", b"a=" + b"x" * 40_000 + b"&op=read", "", b"legacy"),
        ("/soap", SOAP % b"AccountInquiry", "Expect: 100-continue\r\n", b"modern"),
    ],
)
def test_conditions_on_the_body_decide_and_the_body_arrives_whole(
    gate: Gateway, sides: tuple[Upstream, Upstream], target: str, body: bytes, fields: str, expected: bytes
) -> None:
    with Client(gate.port) as http:
        assert http.post(target, body, fields).body == expected
    (seen,) = sides[expected == b"modern"].requests
    assert seen.body == body


def test_condition_is_decided_from_the_head_of_an_endless_body(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    sides[1].reads_body = False
    with Client(gate.port) as http:
        http.send(b"POST /cics HTTP/1.1\r\nHost: bank\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n\0\0"
                  + "INQA".encode("cp037") + b"\r\n")  # fmt: skip
        wait_until(lambda: sides[1].requests, "the head is at the upstream before the body has ended")


def test_most_specific_route_wins_whatever_the_spelling(gate: Gateway) -> None:
    with Client(gate.port) as http:
        assert http.get("/moved/a/b").body == b"modern"
        for spelling in ("/moved/back", "/moved/%62ack", "/moved//back", "/moved/x/../back", "/moved;a/./back"):
            assert http.get(spelling).body == b"legacy", spelling
        assert http.get("/host").body == b"legacy"
        http.send(b"GET /host HTTP/1.1\r\nHost: NEW.bank:80\r\n\r\n")
        assert http.answer().body == b"modern"


def test_table_is_swapped_under_load_without_a_failed_request(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def load(number: int) -> None:
        with Client(gate.port) as http:
            while not stop.is_set():
                statuses[http.get("/accounts/1", f"X-Id: {number}\r\n").status] += 1
                statuses[http.post("/accounts/1", b"abc", f"X-Id: {number}\r\n").status] += 1

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(30):
            text = routes(sides, turn * 3, stage="modern" if turn % 3 == 0 else "canary")
            # Now and then the upstreams change too, so that their pools are replaced.
            gate.use(text.replace(f'{sides[0].url}"', f'{sides[0].url}", timeout: 9s') if turn % 2 else text)
        wait_until(lambda: sum(statuses.values()) > 100, "some requests")
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert set(statuses) == {200}


def test_refused_table_changes_nothing(gate: Gateway) -> None:
    reply = gate.try_call("table", path=str(gate.write("version: 1\nroutes: [{match: nonsense}]\n")))
    assert not reply["ok"]
    assert "routes[0]" in reply["error"]
    with Client(gate.port) as http:
        assert http.get("/moved/a").body == b"modern"


def test_requests_are_counted_by_route_and_side(gate: Gateway) -> None:
    with Client(gate.port) as http:
        for _ in range(3):
            http.get("/moved/counted")
    rows = {(row["route"], row["side"]): row for row in gate.metrics()["requests"]}
    row = rows["GET /moved/{rest...}", "modern"]
    assert row["classes"]["2xx"] >= 3
    assert sum(row["buckets"]) == sum(row["classes"].values())
