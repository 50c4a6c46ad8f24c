"""TLS and mutual TLS: who is let in, what is verified, and certificates that change under load."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess, fetch
from tests.support.gateways import Gateway, gateway
from tests.support.tls import Authority, TlsClient, TlsUpstream, self_signed, serving, tls_upstream
from tests.support.waiting import wait_until
from tests.support.wire import Client, Upstream, upstream

FORGED = (
    "Client-Cert: :Zm9yZ2Vk:\r\nclient_cert: forged\r\nX-SSL-Client-Cert: forged\r\nX-Forwarded-Client-Cert: forged\r\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def bank(folder: Path) -> Authority:
    return Authority(folder, "bank")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Authority:
    return Authority(folder, "stranger")


@pytest.fixture(scope="module")
def monolith() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(scope="module")
def gate(folder: Path, bank: Authority, monolith: Upstream) -> Iterator[Gateway]:
    certificate, key = bank.issue("gateway", "localhost")
    tls = f'{{certificate: "{certificate}", key: "{key}", client_ca: "{bank.path}"}}'
    text = (
        f'version: 1\ngateway: {{tls: {tls}}}\nupstreams: {{monolith: {{url: "{monolith.url}"}}}}\ndefault: monolith\n'
    )
    with gateway(text) as one:
        yield one


def test_the_right_certificate_is_let_in_and_says_who_it_is_whatever_the_client_says(
    gate: Gateway, bank: Authority, monolith: Upstream
) -> None:
    monolith.reset()
    pair = bank.issue("ada", "ada.example")
    with TlsClient(gate.port, bank.client(pair)) as http:
        assert http.get("/", FORGED).status == 200
    (received,) = monolith.requests
    (field,) = received.all("client-cert")
    shown = ssl.PEM_cert_to_DER_cert(pair[0].read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n")
    assert base64.b64decode(field.strip(b":")) == shown
    assert received.all("x-forwarded-proto") == [b"https"]
    assert not [name for name, value in received.fields if b"forged" in value or b"Zm9yZ2Vk" in value]


@pytest.mark.parametrize("who", ["nobody", "an expired one", "a stranger", "nobody signed"])
def test_another_certificate_is_not_let_in(
    gate: Gateway, folder: Path, bank: Authority, stranger: Authority, monolith: Upstream, who: str
) -> None:
    monolith.reset()
    pairs = {
        "nobody": None,
        "an expired one": bank.issue("expired", "ada.example", is_expired=True),
        "a stranger": stranger.issue("eve", "ada.example"),
        "nobody signed": self_signed(folder, "self"),
    }
    with (
        pytest.raises((ssl.SSLError, ConnectionError, EOFError)),
        TlsClient(gate.port, bank.client(pairs[who])) as http,
    ):
        http.get()
    assert monolith.requests == []


def test_plain_http_and_old_tls_are_not_spoken(gate: Gateway, bank: Authority, monolith: Upstream) -> None:
    monolith.reset()
    with Client(gate.port) as http, pytest.raises((EOFError, ConnectionError)):
        http.get()
    old = bank.client(bank.issue("old", "old.example"))
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TlsClient(gate.port, old)
    assert monolith.requests == []


def test_without_tls_nobody_says_by_header_who_he_is(monolith: Upstream) -> None:
    monolith.reset()
    with (
        gateway(f'version: 1\nupstreams: {{m: {{url: "{monolith.url}"}}}}\ndefault: m\n') as plain,
        Client(plain.port) as http,
    ):
        http.get("/", FORGED)
    assert not [name for name, value in monolith.requests[0].fields if b"forged" in value or b"Zm9yZ2Vk" in value]


CASES = {
    "good": (None, 200),
    "expired": ("upstream_tls_expired", 502),
    "misnamed": ("upstream_tls_name", 502),
    "foreign": ("upstream_tls_untrusted", 502),
    "unsigned": ("upstream_tls_untrusted", 502),
    "plain": ("upstream_tls", 502),
    "renamed": (None, 200),
    "mutual": (None, 200),
}


@pytest.fixture(scope="module")
def upstreams(folder: Path, bank: Authority, stranger: Authority) -> Iterator[dict[str, TlsUpstream]]:
    contexts = {
        "good": serving(bank.issue("good", "localhost")),
        "expired": serving(bank.issue("late", "localhost", is_expired=True)),
        "misnamed": serving(bank.issue("misnamed", "elsewhere.example")),
        "foreign": serving(stranger.issue("foreign", "localhost")),
        "unsigned": serving(self_signed(folder, "unsigned")),
        "renamed": serving(bank.issue("renamed", "core.bank.example")),
        "mutual": serving(bank.issue("mutual", "localhost"), bank.path),
    }
    with ExitStack() as stack:
        yield {name: stack.enter_context(tls_upstream(context)) for name, context in contexts.items()}


@pytest.fixture(scope="module")
def outward(bank: Authority, monolith: Upstream, upstreams: dict[str, TlsUpstream]) -> Iterator[Gateway]:
    certificate, key = bank.issue("outward", "gateway.example")
    lines = [f'  plain: {{url: "https://localhost:{monolith.port}", tls: {{ca: "{bank.path}"}}}}']
    for name, one in upstreams.items():
        more = {
            "renamed": ", server_name: core.bank.example",
            "mutual": f', certificate: "{certificate}", key: "{key}"',
        }
        lines.append(f'  {name}: {{url: "{one.url}", tls: {{ca: "{bank.path}"{more.get(name, "")}}}}}')
    routes = "\n".join(f'  - {{match: "* /{name}", upstream: {name}}}' for name in CASES)
    with gateway("version: 1\nupstreams:\n" + "\n".join(lines) + "\nroutes:\n" + routes + "\n") as one:
        yield one


@pytest.mark.parametrize("name", CASES)
def test_an_upstream_is_verified_and_a_failure_has_its_own_reason(
    outward: Gateway, upstreams: dict[str, TlsUpstream], name: str
) -> None:
    reason, status = CASES[name]
    with Client(outward.port) as http:
        found = http.post(f"/{name}", b"x")
    assert found.status == status
    if reason is not None:
        problem = json.loads(found.body)
        assert (problem["type"], problem["outcome"]) == (f"urn:strangler:problem:{reason}", "not sent")
        assert name not in upstreams or upstreams[name].requests == []
    if name == "mutual":
        assert upstreams[name].shown[-1] is not None, "the gateway has shown its own certificate"


def test_certificates_that_change_are_used_without_dropping_a_connection(tmp_path: Path, monolith: Upstream) -> None:
    authority = Authority(tmp_path, "renewed")
    authority.issue("gateway", "localhost")
    (tmp_path / "routes.yaml").write_text(
        "version: 1\ngateway: {tls: {certificate: gateway.crt, key: gateway.key}}\n"
        f'upstreams: {{monolith: {{url: "{monolith.url}"}}}}\ndefault: monolith\n'
    )
    served: set[bytes] = set()
    failed: list[Exception] = []
    ends = threading.Event()

    def knock(port: int) -> None:
        while not ends.is_set():
            try:
                with TlsClient(port, authority.client()) as http:
                    assert http.get().status == 200
                    served.add(http.served)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not happen
                failed.append(error)

    with GatewayProcess(tmp_path / "routes.yaml", workers=2) as gate:
        port = int(gate.url.rpartition(":")[2])
        with TlsClient(port, authority.client()) as kept:
            kept.get()
            threads = [threading.Thread(target=knock, args=(port,)) for _ in range(3)]
            for thread in threads:
                thread.start()
            first = kept.served
            (tmp_path / "gateway.key").write_text("half of a")
            wait_until(lambda: gate.events("certificates.refused"), "what cannot be used is refused")
            assert "strangler_certificates_refused 1.0" in fetch(f"{gate.admin_url}/metrics").text
            authority.issue("gateway", "localhost")
            wait_until(lambda: len(served) == 2, "new connections meet the new certificate")
            wait_until(lambda: gate.events("certificates.in_force"), "it is said")
            assert kept.get().status == 200, "the old connection goes on"
            assert first in served
            ends.set()
            for thread in threads:
                thread.join()
        assert failed == []
        metrics = fetch(f"{gate.admin_url}/metrics").text
        assert 'strangler_certificate_expires{where="gateway.tls"}' in metrics
        assert "strangler_certificates_refused 0.0" in metrics
