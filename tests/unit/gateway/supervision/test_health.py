from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.model import Routes, Upstream
from config.reader import parse_routes
from gateway.supervision.health import ILL_AFTER, WELL_AFTER, Condition, HealthChecks, check
from tests.support.wire import Upstream as Bank
from tests.support.wire import answer, raw, upstream


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    with upstream() as one:
        yield one


@given(st.lists(st.booleans(), max_size=40))
def test_a_condition_changes_only_after_enough_checks_in_a_row(checks: list[bool]) -> None:
    condition, run = Condition(), 0
    for index, success in enumerate(checks):
        before = condition.is_well
        changed = condition.learn(success=success)
        run = run + 1 if index and checks[index - 1] == success else 1
        assert changed == (condition.is_well != before)
        if changed:
            assert run >= (ILL_AFTER if before else WELL_AFTER)
            assert condition.is_well == success


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(), ""),
        (answer(status=b"302 Found"), ""),
        (answer(status=b"503 Ill"), "status 503"),
        (raw(b"nonsense\r\n"), "status 0"),
        (raw(b"HTTP/1.1 200", close=True), "ValueError"),
        (raw(b"x" * 20_000), "ValueError"),
    ],
)
def test_a_check_is_one_get_and_says_why_it_failed(bank: Bank, said: object, reason: str) -> None:
    bank.reset()
    bank.respond = said  # type: ignore[assignment]
    assert asyncio.run(check("bank", Upstream(url=bank.url, health="/healthz"))) == reason
    assert bank.targets() == [b"/healthz"]


def test_an_upstream_that_is_not_there_or_silent_is_ill(bank: Bank) -> None:
    bank.respond = lambda received, sock: (sock.recv(1), None)[1]
    silent = Upstream(url=bank.url, health="/healthz", connect_timeout=0.1, timeout=0.1)
    assert asyncio.run(check("bank", silent)) == "no answer in time"
    gone = Upstream(url="http://127.0.0.1:1", health="/healthz")
    assert asyncio.run(check("bank", gone)) == "ConnectionRefusedError"


def test_changes_are_told_and_checks_follow_the_table(bank: Bank) -> None:
    bank.reset()

    def table(path: str) -> Routes:
        text = f'version: 1\nupstreams: {{bank: {{url: "{bank.url}", health: {path}, health_every: 1ms}}}}\n'
        return parse_routes(text.encode(), Path("routes.yaml"), {})

    async def story() -> None:
        told: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()

        async def tell(name: str, is_well: bool) -> None:
            told.put_nowait((name, is_well))

        checks = HealthChecks(tell)
        bank.respond = answer(status=b"500 Ill")
        checks.apply(table("/a"))
        assert await asyncio.wait_for(told.get(), 10) == ("bank", False)
        assert checks.conditions() == {"bank": False}
        bank.respond = answer()
        assert await asyncio.wait_for(told.get(), 10) == ("bank", True)
        checks.apply(table("/b"))
        checks.apply(parse_routes(b"version: 1\n", Path("routes.yaml"), {}))
        assert checks.conditions() == {}
        await checks.close()

    asyncio.run(story())
