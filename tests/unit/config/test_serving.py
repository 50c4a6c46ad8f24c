from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import RoutesInvalid
from config.reader import parse_routes
from config.serving import GatewaySettings


def _gateway(text: str) -> GatewaySettings:
    return parse_routes(f"version: 1\ngateway: {text}\n".encode(), Path("routes.yaml"), {}).gateway


def test_whatever_is_not_asked_for_is_off() -> None:
    assert _gateway("{}").idempotency is None


def test_idempotency_refuses_rather_than_doubles_unless_told_otherwise() -> None:
    settings = _gateway("{idempotency: {keep: 1h, answer_max: 1KiB}}").idempotency
    assert settings is not None
    assert (settings.keep, settings.answer_max, settings.when_down, settings.scope) == (3600.0, 1024, "refuse", None)


def test_every_mistake_is_named_with_what_is_right() -> None:
    with pytest.raises(RoutesInvalid) as raised:
        _gateway("{idempotency: {keep: soon, when_down: hope, scope: path, size: 1}}")
    found = {problem.where: problem.example for problem in raised.value.problems}
    assert found == {
        "gateway.idempotency.keep": "keep: 24h",
        "gateway.idempotency.when_down": "when_down: refuse",
        "gateway.idempotency.scope": 'scope: "jwt:sub"',
        "gateway.idempotency.size": found["gateway.idempotency.size"],
    }


def test_files_lie_beside_routes_yaml() -> None:
    settings = _gateway("{access_log: {file: access.jsonl}, tls: {certificate: a.crt, key: a.key}}")
    assert settings.access_log is not None
    assert settings.tls is not None
    here = Path.cwd()
    assert (settings.access_log.file, settings.tls.key) == (here / "access.jsonl", here / "a.key")


def test_tls_of_an_upstream_that_contradicts_itself_is_told_with_what_is_right() -> None:
    text = b"version: 1\nupstreams: {core: {url: 'http://core:1', tls: {certificate: a.crt}}}\n"
    with pytest.raises(RoutesInvalid) as raised:
        parse_routes(text, Path("routes.yaml"), {})
    assert [problem.example for problem in raised.value.problems] == [
        'url: "https://core:1"',
        "{certificate: gateway.crt, key: gateway.key}",
    ]
