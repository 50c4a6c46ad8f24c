"""Under one Idempotency-Key a write happens once: over workers, restarts, instances, stages, and whatever fails."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.gateways import Gateway, gateway
from tests.support.waiting import wait_until
from tests.support.wire import Answer, Client, Received, Upstream, answer, raw, upstream

KEYS = base64.b64encode(bytes(range(32))).decode()
ROUTES = """
version: 1
gateway: {{idempotency: {{answer_max: 1KiB{more}}}}}
databases: {{control: {{url: "{control}"}}}}
upstreams:
  monolith: {{url: "{legacy}", timeout: 800ms}}
  ledger: {{url: "{modern}", timeout: 800ms}}
  gone: {{url: "http://127.0.0.1:1"}}
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: {stage}, canary: {{percent: 10}}}}
routes:
  - {{match: "* /accounts/{{id}}/transfers", capability: accounts}}
  - {{match: "* /gone", upstream: gone}}
default: monolith
"""
TRANSFER = b'{"amount": "10.00"}'


@pytest.fixture(scope="module", autouse=True)
def _keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRANGLER_ANSWER_KEYS", KEYS)
        yield


@pytest.fixture(scope="module")
def legacy() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(scope="module")
def modern() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(autouse=True)
def _fresh(legacy: Upstream, modern: Upstream) -> None:
    for one in (legacy, modern):
        one.reset()
        one.respond = booking(one)


def booking(bank: Upstream) -> object:
    """Says the number of the booking, so that a second booking would show."""

    def respond(received: Received, sock: socket.socket) -> None:
        answer(b"booking %d" % len(bank.requests), b"201 Created", b"Location: /bookings/1\r\n")(received, sock)

    return respond


def routes(control: str, legacy: Upstream, modern: Upstream, stage: str = "canary", more: str = "") -> str:
    return ROUTES.format(control=control, legacy=legacy.url, modern=modern.url, stage=stage, more=more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idempotency")


@pytest.fixture(scope="module")
def control(folder: Path) -> str:
    return f"sqlite:///{folder}/control.db"


@pytest.fixture(scope="module")
def gate(control: str, legacy: Upstream, modern: Upstream) -> Iterator[Gateway]:
    with gateway(routes(control, legacy, modern)) as one:
        yield one


def transfer(gate: Gateway, key: str, body: bytes = TRANSFER, fields: str = "") -> Answer:
    with Client(gate.port) as http:
        return http.post("/accounts/1/transfers", body, f"Idempotency-Key: {key}\r\n{fields}")


def outcome_of(found: Answer) -> object:
    return json.loads(found.body).get("outcome")


def counted(gate: Gateway, outcome: str) -> int:
    rows = [row for row in gate.metrics()["counters"] if row["labels"] == {"outcome": outcome}]
    return sum(row["value"] for row in rows)


def test_the_same_request_gets_the_stored_answer_and_the_upstream_hears_of_it_once(
    gate: Gateway, legacy: Upstream
) -> None:
    before = counted(gate, "begun"), counted(gate, "replayed")
    first = transfer(gate, '"a-key"')
    again = transfer(gate, '"a-key"')
    bare = transfer(gate, "a-key")
    assert (first.status, first.body, first.get("idempotent-replayed")) == (201, b"booking 1", None)
    for later in (again, bare):
        assert (later.status_line, later.body, later.get("location")) == (
            first.status_line,
            b"booking 1",
            b"/bookings/1",
        )
        assert later.get("idempotent-replayed") == b"true"
    assert len(legacy.requests) == 1
    assert legacy.requests[0].get("idempotency-key") == b'"a-key"', "the upstream may have rules of its own"
    assert (counted(gate, "begun"), counted(gate, "replayed")) == (before[0] + 1, before[1] + 2)


def test_a_connection_goes_on_after_a_stored_answer_and_chunked_is_chunked(gate: Gateway, legacy: Upstream) -> None:
    legacy.respond = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    with Client(gate.port) as http:
        for _ in range(3):
            http.send(b"POST /accounts/1/transfers HTTP/1.1\r\nHost: bank\r\nTransfer-Encoding: chunked\r\n"
                      b"Idempotency-Key: chunks\r\n\r\n3\r\nabc\r\n0\r\n\r\n")  # fmt: skip
            assert http.answer().body == b"ok"
        assert http.get("/else").status == 200
    assert [received.target for received in legacy.requests] == [b"/accounts/1/transfers", b"/else"]


def test_requests_that_are_cut_anywhere_are_the_same_request(gate: Gateway, legacy: Upstream) -> None:
    whole = (b"POST /accounts/1/transfers HTTP/1.1\r\nHost: bank\r\nIdempotency-Key: cut\r\n"
             b"Content-Length: %d\r\n\r\n%b" % (len(TRANSFER), TRANSFER))  # fmt: skip
    with Client(gate.port) as http:
        for cut in range(1, len(whole), 7):
            http.send(whole[:cut])
            http.send(whole[cut:])
            assert http.answer().body == b"booking 1"
    assert len(legacy.requests) == 1


def test_a_client_that_waits_for_a_word_is_answered_from_the_store(gate: Gateway, legacy: Upstream) -> None:
    transfer(gate, "expect")
    with Client(gate.port) as http:
        http.send(b"POST /accounts/1/transfers HTTP/1.1\r\nHost: bank\r\nIdempotency-Key: expect\r\n"
                  b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(TRANSFER))  # fmt: skip
        assert http.reader.line() == b"HTTP/1.1 100 Continue"
        assert http.reader.line() == b""
        http.send(TRANSFER)
        assert http.answer().body == b"booking 1"
    assert len(legacy.requests) == 1


def test_another_request_under_the_same_key_is_422(gate: Gateway, legacy: Upstream) -> None:
    transfer(gate, "another")
    assert transfer(gate, "another", b'{"amount": "99.00"}').status == 422
    assert transfer(gate, "another", fields="Authorization: Bearer another\r\n").status == 422, (
        "never another one's answer"
    )
    with Client(gate.port) as http:
        assert http.post("/accounts/2/transfers", TRANSFER, "Idempotency-Key: another\r\n").status == 422
        assert http.get("/accounts/1/transfers", "Idempotency-Key: another\r\n", "DELETE").status == 422
    assert len(legacy.requests) == 1


@pytest.mark.parametrize("value", ["", '""', '"a', "a b", "a,b", "x" * 256, "k\r\nIdempotency-Key: k"])
def test_what_is_no_key_is_400_and_nothing_is_sent(gate: Gateway, legacy: Upstream, value: str) -> None:
    assert transfer(gate, value).status == 400
    assert legacy.requests == []


def test_reads_and_writes_without_the_header_are_left_alone(gate: Gateway, legacy: Upstream) -> None:
    before = counted(gate, "begun")
    with Client(gate.port) as http:
        for _ in range(2):
            http.post("/accounts/1/transfers", TRANSFER)
            http.get("/accounts/1/transfers", "Idempotency-Key: read\r\n")
    assert len(legacy.requests) == 4
    assert counted(gate, "begun") == before


def test_while_the_first_request_runs_a_second_is_409(gate: Gateway, legacy: Upstream) -> None:
    let_go = threading.Event()

    def slow(received: Received, sock: socket.socket) -> None:
        let_go.wait(10)
        answer(b"done")(received, sock)

    legacy.respond = slow
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(transfer, gate, "slow")
        wait_until(lambda: legacy.requests, "the first is at the upstream")
        second = transfer(gate, "slow")
        assert (second.status, outcome_of(second), second.get("retry-after")) == (409, "in progress", b"1")
        let_go.set()
        assert first.result().body == b"done"
    assert transfer(gate, "slow").body == b"done"
    assert len(legacy.requests) == 1


def test_many_at_once_are_one_booking(gate: Gateway, legacy: Upstream) -> None:
    with ThreadPoolExecutor(24) as pool:
        found = list(pool.map(lambda _: transfer(gate, "burst"), range(48)))
    assert {one.status for one in found} <= {201, 409}
    assert {one.body for one in found if one.status == 201} == {b"booking 1"}
    assert len(legacy.requests) == 1


def test_the_answer_is_the_same_after_the_capability_has_moved(
    gate: Gateway, control: str, legacy: Upstream, modern: Upstream
) -> None:
    transfer(gate, "moves")
    gate.use(routes(control, legacy, modern, "modern"))
    assert transfer(gate, "moves").body == b"booking 1"
    assert modern.requests == []
    assert transfer(gate, "new").body == b"booking 1"
    assert len(modern.requests) == 1
    gate.use(routes(control, legacy, modern, "canary"))
    assert transfer(gate, "new").get("idempotent-replayed") == b"true"
    assert len(legacy.requests) == 1


def test_errors_of_the_server_are_kept_and_what_was_not_done_is_not(gate: Gateway, legacy: Upstream) -> None:
    again = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
    legacy.respond = answer(b"", b"500 Oops")
    assert [transfer(gate, "oops").status for _ in range(2)] == [500, 500]
    legacy.respond = answer(b"", b"503 Half way")
    assert [transfer(gate, "half").status for _ in range(2)] == [503, 503]
    assert len(legacy.requests) == 2
    for key, refusal in (("auth", answer(b"", b"401 Who")), ("rate", answer(b"", b"429 Slow")), ("busy", raw(again))):
        legacy.respond = refusal
        assert transfer(gate, key).status in (401, 429, 503)
        legacy.respond = booking(legacy)
        assert transfer(gate, key).status == 201


def test_an_unknown_outcome_stays_unknown(gate: Gateway, legacy: Upstream) -> None:
    legacy.respond = raw(b"", close=True)
    first, second = transfer(gate, "lost"), transfer(gate, "lost")
    assert [(one.status, outcome_of(one)) for one in (first, second)] == [(502, "unknown")] * 2
    legacy.respond = raw(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nabc", close=True)
    assert not transfer(gate, "torn").is_complete
    assert outcome_of(transfer(gate, "torn")) == "unknown"
    assert len(legacy.requests) == 2


def test_what_was_not_sent_may_be_tried_again(gate: Gateway, legacy: Upstream) -> None:
    before = counted(gate, "begun")
    with Client(gate.port) as http:
        for _ in range(2):
            found = http.post("/gone", TRANSFER, "Idempotency-Key: gone\r\n")
            assert (found.status, outcome_of(found)) == (502, "not sent")
    with Client(gate.port) as http:
        http.send(b"POST /accounts/1/transfers HTTP/1.1\r\nHost: bank\r\nIdempotency-Key: cut-off\r\n"
                  b"Content-Length: 100\r\n\r\nhalf")  # fmt: skip
        wait_until(lambda: counted(gate, "begun") == before + 3, "the key is claimed")
    wait_until(lambda: transfer(gate, "cut-off").status == 201, "the key is free again")


def test_the_answer_is_kept_though_its_client_has_gone(gate: Gateway, legacy: Upstream) -> None:
    let_go = threading.Event()

    def slow(received: Received, sock: socket.socket) -> None:
        let_go.wait(10)
        answer(b"done")(received, sock)

    legacy.respond = slow
    with Client(gate.port) as http:
        http.send_post("/accounts/1/transfers", TRANSFER, "Idempotency-Key: left\r\n")
        wait_until(lambda: legacy.requests, "it is at the upstream")
    let_go.set()
    wait_until(lambda: transfer(gate, "left").status == 200, "its answer is there")
    assert transfer(gate, "left").body == b"done"
    assert len(legacy.requests) == 1


def test_an_answer_that_is_too_large_is_not_kept_and_the_write_is_not_repeated(gate: Gateway, legacy: Upstream) -> None:
    legacy.respond = answer(b"x" * 5000)
    assert len(transfer(gate, "large").body) == 5000
    second = transfer(gate, "large")
    assert (second.status, outcome_of(second)) == (409, "done")
    assert len(legacy.requests) == 1


def test_nothing_is_stored_in_clear(gate: Gateway, legacy: Upstream, folder: Path) -> None:
    legacy.respond = answer(b'{"iban": "DE89370400440532013000"}')
    transfer(gate, "secret-key", fields="Authorization: Bearer secret-token\r\n")
    stored = b"".join(path.read_bytes() for path in folder.glob("control.db*"))
    assert stored
    for secret in (b"DE89370400440532013000", b"secret-key", b"secret-token", b"10.00"):
        assert secret not in stored


def test_a_worker_that_was_killed_leaves_the_outcome_unknown_and_a_restart_forgets_nothing(
    control: str, legacy: Upstream, modern: Upstream, folder: Path
) -> None:
    text = routes(control, legacy, modern)
    never = threading.Event()
    with gateway(text) as first:
        assert transfer(first, "kept").status == 201
        legacy.respond = lambda received, sock: (never.wait(10), None)[1]
        with Client(first.port) as http:
            http.send_post("/accounts/1/transfers", TRANSFER, "Idempotency-Key: killed\r\n")
            wait_until(lambda: len(legacy.requests) == 2, "it is at the upstream")
            os.kill(first.process.pid, signal.SIGKILL)
            first.process.wait()
    never.set()
    legacy.respond = booking(legacy)
    _let_the_lease_pass(folder / "control.db")
    with gateway(text) as second:
        assert transfer(second, "kept").body == b"booking 1"
        found = transfer(second, "killed")
        assert (found.status, outcome_of(found)) == (502, "unknown")
    assert len(legacy.requests) == 2


def _let_the_lease_pass(path: Path) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        assert connection.execute("UPDATE idempotency SET lease_until = 0 WHERE state = 'begun'").rowcount == 1
    connection.close()


def test_two_gateways_share_their_keys_over_postgresql(legacy: Upstream, modern: Upstream, modern_db: str) -> None:
    text = routes(modern_db, legacy, modern)
    with gateway(text) as one, gateway(text) as other:
        assert transfer(one, "shared").body == b"booking 1"
        assert transfer(other, "shared").get("idempotent-replayed") == b"true"
        with ThreadPoolExecutor(16) as pool:
            pairs = [(gate, f"k{n % 6}") for n in range(24) for gate in (one, other)]
            found = list(pool.map(lambda pair: (pair[1], transfer(*pair)), pairs))
    assert {answered.status for _, answered in found} <= {201, 409}
    by_key = {key: {a.body for k, a in found if k == key and a.status == 201} for key, _ in found}
    assert all(len(bodies) == 1 for bodies in by_key.values())
    assert len(legacy.requests) == 7


@pytest.mark.parametrize(("when_down", "status"), [("refuse", 503), ("pass", 201)])
def test_without_the_control_database_a_write_is_refused_or_passed_on_as_configured(
    legacy: Upstream, modern: Upstream, when_down: str, status: int
) -> None:
    text = routes("postgresql://nobody@127.0.0.1:1/none", legacy, modern, more=f", when_down: {when_down}")
    with gateway(text) as gate:
        found = transfer(gate, "down")
        assert found.status == status
        if status == 503:
            assert (outcome_of(found), found.get("retry-after")) == ("not sent", b"1")
        with Client(gate.port) as http:
            assert http.post("/accounts/1/transfers", TRANSFER).status == 201, "without a key nothing depends on it"
    assert len(legacy.requests) == (1 if status == 503 else 2)


def test_with_a_scope_a_new_token_of_the_same_caller_gets_the_answer_and_another_caller_has_keys_of_its_own(
    control: str, legacy: Upstream, modern: Upstream
) -> None:
    with gateway(routes(control, legacy, modern, more=', scope: "header:X-Customer-Id"')) as gate:
        ada, bob = "X-Customer-Id: ada\r\nAuthorization: t1\r\n", "X-Customer-Id: bob\r\n"
        assert transfer(gate, "one", fields=ada).body == b"booking 1"
        assert transfer(gate, "one", fields=ada.replace("t1", "t2")).body == b"booking 1"
        assert transfer(gate, "one", fields=bob).body == b"booking 2"
