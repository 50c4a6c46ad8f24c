from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.errors import BudgetExceeded, GatewayUnreachable
from runbook.gateways import Gateways, Table
from tests.support.fake_gateway import FakeGateway, fake_gateway


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text("version: 1\n")
    return path


@pytest.fixture
def pair(routes: Path) -> Iterator[tuple[FakeGateway, FakeGateway, Gateways]]:
    with fake_gateway(routes) as first, fake_gateway(routes) as second:
        gateways = Gateways([first.url, second.url])
        yield first, second, gateways
        gateways.close()


def test_every_gateway_is_asked_to_hold_and_to_release(pair: tuple[FakeGateway, FakeGateway, Gateways]) -> None:
    first, second, gateways = pair
    second.in_flight = 1
    gateways.hold("accounts", 3, "r-1")
    assert [hold.is_quiet for hold in gateways.holds("accounts")] == [True, False]
    assert [hold.is_quiet for hold in gateways.holds("accounts")] == [True, True]
    gateways.release("accounts", "legacy")
    assert not any(hold.is_holding for hold in gateways.holds("accounts"))
    assert "DELETE /api/holds/accounts?home=legacy" in first.calls


def test_a_digest_is_waited_for_at_every_gateway(pair: tuple[FakeGateway, FakeGateway, Gateways]) -> None:
    _, second, gateways = pair
    found = gateways.wait_for_digest(lambda: gateways.tables()[0].digest, 2)
    assert len(found) == 64
    second.digest = "old"
    with pytest.raises(BudgetExceeded, match="every gateway uses the new routes"):
        gateways.wait_for_digest(lambda: found, 0.05)


def test_one_that_does_not_answer_is_not_waited_for_and_one_that_is_late_is(routes: Path) -> None:
    with fake_gateway(routes) as gateway:
        gateways = Gateways(["http://127.0.0.1:1", gateway.url])
        settled = gateways.wait_for_those_that_answer(lambda: gateways.tables_or_silence()[1].digest, 2)  # type: ignore[union-attr]
        assert (settled.count, settled.silent) == (1, ("http://127.0.0.1:1",))
        assert settled.words.endswith(
            "http://127.0.0.1:1 did not answer and refuses these writes with 503 until it has the new file"
        )
        gateway.digest = "old"
        with pytest.raises(BudgetExceeded):
            gateways.wait_for_those_that_answer(lambda: settled.digest, 0.05)
        gateways.close()


def test_a_worker_on_another_table_is_not_there_yet() -> None:
    assert not Table("http://x", "d", ("d", "c"), ()).has("d")
    assert not Table("http://x", "d", (), ()).has("d")
    assert Table("http://x", "d", ("d", "d"), ()).has("d")


def test_one_that_does_not_answer_is_named_and_the_others_are_released(routes: Path) -> None:
    with fake_gateway(routes) as gateway:
        gateways = Gateways(["http://127.0.0.1:1", gateway.url])
        gateway.holds["accounts"] = time.monotonic() + 60
        (silent,) = gateways.release("accounts", "legacy")
        assert silent.url == "http://127.0.0.1:1"
        assert gateway.holds == {}
        gateways.close()


def test_the_token_is_sent_and_a_refusal_is_an_error(routes: Path) -> None:
    with fake_gateway(routes) as gateway:
        gateway.token = "secret"
        with_token, without = Gateways([gateway.url], "secret"), Gateways([gateway.url])
        assert with_token.tables()[0].url == gateway.url
        with pytest.raises(GatewayUnreachable, match="answered with 401"):
            without.tables()
        with_token.close()
        without.close()
