"""The claims about whole requests are in tests/scenarios/test_gateway_idempotency.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from config.reader import parse_routes
from gateway.idempotency.claim import open_answers
from gateway.idempotency.seal import KEYS_VARIABLE, SealKeysUnusable


def _routes(folder: Path, gateway: str) -> object:
    return parse_routes(f"version: 1\ngateway: {gateway}\n".encode(), folder / "routes.yaml", {})


def test_nothing_is_opened_where_it_is_not_asked_for(tmp_path: Path) -> None:
    assert open_answers(_routes(tmp_path, "{}"), tmp_path) is None  # type: ignore[arg-type]


def test_without_a_key_to_seal_with_it_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEYS_VARIABLE, raising=False)

    async def opening() -> None:
        open_answers(_routes(tmp_path, "{idempotency: {}}"), tmp_path)  # type: ignore[arg-type]

    with pytest.raises(SealKeysUnusable):
        asyncio.run(opening())
