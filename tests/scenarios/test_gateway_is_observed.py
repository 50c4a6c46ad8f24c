"""What a gateway tells about requests: the access log and OpenTelemetry spans; and that nobody can write into them."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.gateways import Gateway, gateway
from tests.support.waiting import wait_until
from tests.support.wire import Client, Upstream, answer, raw, upstream

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "4111111111111111"


class Collector(ThreadingHTTPServer):
    """An OTLP collector that keeps the spans."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Export)
        self.spans: list[Any] = []
        self.services: set[str] = set()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    def named(self, trace_id: str) -> list[Any]:
        return [span for span in self.spans if span.trace_id.hex() == trace_id]


class _Export(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        import gzip

        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        found = ExportTraceServiceRequest.FromString(body)
        for resource in found.resource_spans:
            self.server.services |= {
                a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
            }
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def monolith() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as one:
        yield one
        one.shutdown()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.jsonl"


@pytest.fixture(scope="module")
def gate(monolith: Upstream, collector: Collector, log: Path) -> Iterator[Gateway]:
    text = f"""
version: 1
gateway: {{access_log: {{file: "{log}"}}, tracing: {{endpoint: "{collector.endpoint}"}}}}
upstreams: {{monolith: {{url: "{monolith.url}", timeout: 1s}}, gone: {{url: "http://127.0.0.1:1"}}}}
default: monolith
routes:
  - {{match: "* /accounts/{{id}}", name: account, upstream: monolith}}
  - {{match: "* /gone", upstream: gone}}
"""
    # The exporter waits five seconds for a batch to fill.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        with gateway(text) as one:
            yield one


@pytest.fixture
def http(gate: Gateway, monolith: Upstream) -> Iterator[Client]:
    monolith.reset()
    with Client(gate.port) as one:
        yield one


def entry(log: Path, request_id: str) -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        return next((one for one in entries if one["request_id"] == request_id), None)

    found = wait_until(find, "the request is in the access log")
    assert found is not None
    return found


def test_a_request_is_one_line_without_anything_that_could_be_a_secret(http: Client, log: Path) -> None:
    fields = f"X-Request-Id: r-1\r\nAuthorization: Bearer {SECRET}\r\nCookie: s={SECRET}\r\ntraceparent: 00-{TRACE}-{PARENT}-00\r\n"
    assert http.post(f"/accounts/{SECRET}?pan={SECRET}", SECRET.encode(), fields).status == 200
    found = entry(log, "r-1")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", found.pop("at"))
    assert 0 < found.pop("seconds") < 10
    assert found == {
        "method": "POST", "route": "account", "side": "pinned", "upstream": "monolith", "status": 200,
        "request_bytes": 16, "attempts": 1, "client": "127.0.0.1", "trace_id": TRACE, "request_id": "r-1",
    }  # fmt: skip
    assert SECRET not in log.read_text()


@pytest.mark.parametrize("value", ['r-2"} {"status": 200', "r\x1b[31m", "r\t2", "é", "x" * 129])
def test_nobody_writes_a_line_of_the_log(gate: Gateway, http: Client, log: Path, value: str) -> None:
    with Client(gate.port) as forger, contextlib.suppress(EOFError):  # some are not even HTTP
        forger.send(b"GET /accounts/1 HTTP/1.1\r\nHost: bank\r\nX-Request-Id: " + value.encode() + b"\r\n\r\n")
        forger.answer()
    after = value.encode().hex()[:20]
    http.get("/accounts/1", f"X-Request-Id: {after}\r\n")
    entry(log, after)
    raw_log = log.read_bytes()
    assert all(byte in range(0x20, 0x7F) or byte == 0x0A for byte in raw_log)
    assert all(len(json.loads(line)) == 12 for line in raw_log.splitlines())


def test_what_the_gateway_answers_itself_is_in_the_log_too(http: Client, log: Path) -> None:
    http.get("/gone", "X-Request-Id: gone\r\n")
    assert {key: entry(log, "gone")[key] for key in ("status", "upstream")} == {"status": 502, "upstream": "gone"}


def test_a_log_that_was_moved_away_goes_on_in_a_new_file(gate: Gateway, http: Client, log: Path) -> None:
    http.get("/accounts/1", "X-Request-Id: before\r\n")
    entry(log, "before")
    log.rename(log.with_suffix(".1"))
    gate.call("reopen")
    wait_until(log.exists, "the new file is there")
    http.get("/accounts/1", "X-Request-Id: afterwards\r\n")
    entry(log, "afterwards")
    assert b"afterwards" not in log.with_suffix(".1").read_bytes()


def test_a_log_that_cannot_be_written_costs_lines_and_no_request(monolith: Upstream) -> None:
    text = f'version: 1\ngateway: {{access_log: {{file: /dev/full}}}}\nupstreams: {{m: {{url: "{monolith.url}"}}}}\ndefault: m\n'
    with gateway(text) as full, Client(full.port) as http:
        assert [http.get().status for _ in range(5)] == [200] * 5
        wait_until(lambda: full.metrics()["counters"][0]["value"] == 5, "what was lost is counted")


def test_the_gateway_is_a_span_between_the_clients_and_the_upstreams(
    http: Client, monolith: Upstream, collector: Collector
) -> None:
    http.post("/accounts/1?secret=1", b"x", f"traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: a=b\r\n")
    (sent,) = monolith.requests[-1].all("traceparent")
    version, trace, ours, flags = sent.decode().split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert ours != PARENT
    assert monolith.requests[-1].all("tracestate") == [b"a=b"]
    (span,) = wait_until(lambda: collector.named(TRACE), "the span is exported")
    assert (span.span_id.hex(), span.parent_span_id.hex(), span.name) == (ours, PARENT, "POST account")
    said = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
    assert said["http.route"] == "account"
    assert said["http.response.status_code"] == 200
    assert "secret" not in str(said)
    assert span.end_time_unix_nano > span.start_time_unix_nano
    assert collector.services == {"strangler-gateway"}


def test_a_trace_that_begins_at_the_gateway_is_the_upstreams_too_also_on_a_repeated_head(
    http: Client, monolith: Upstream, collector: Collector
) -> None:
    for _ in range(4):
        http.get("/accounts/1")
    sent = [received.all("traceparent")[0].decode().split("-") for received in monolith.requests]
    assert len({trace for _, trace, _, _ in sent}) == 4
    for _, trace, ours, _ in sent:
        (span,) = wait_until(lambda trace=trace: collector.named(trace), "the span is exported")  # type: ignore[misc]
        assert (span.span_id.hex(), span.parent_span_id) == (ours, b"")


def test_a_trace_that_its_client_does_not_sample_is_not_exported(
    http: Client, monolith: Upstream, collector: Collector
) -> None:
    unsampled = TRACE.replace("0", "1")
    http.get("/accounts/1", f"traceparent: 00-{unsampled}-{PARENT}-00\r\n")
    assert monolith.requests[-1].all("traceparent")[0].endswith(b"-00")
    monolith.respond = raw(b"", close=True)
    http.post("/accounts/1", b"x", f"traceparent: 00-{TRACE[::-1]}-{PARENT}-01\r\n")
    (span,) = wait_until(lambda: collector.named(TRACE[::-1]), "a later span is exported")
    assert span.status.code == 2, "an error"
    assert collector.named(unsampled) == []


def test_without_observers_nothing_of_them_is_loaded(monolith: Upstream) -> None:
    monolith.respond = answer()
    with (
        gateway(f'version: 1\nupstreams: {{m: {{url: "{monolith.url}"}}}}\ndefault: m\n') as plain,
        Client(plain.port) as http,
    ):
        http.get()
        maps = Path(f"/proc/{plain.process.pid}/maps").read_text()
        threads = len(list(Path(f"/proc/{plain.process.pid}/task").iterdir()))
    assert "google/_upb" not in maps, "the exporter's protobuf"
    assert "cyextension" not in maps, "SQLAlchemy"
    assert threads < 8


def test_a_collector_that_is_away_costs_nothing(monolith: Upstream) -> None:
    monolith.respond = answer()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        text = f'version: 1\ngateway: {{tracing: {{endpoint: "{endpoint}"}}}}\nupstreams: {{m: {{url: "{monolith.url}"}}}}\ndefault: m\n'
        with gateway(text) as alone, Client(alone.port) as http:
            assert [http.get().status for _ in range(20)] == [200] * 20
