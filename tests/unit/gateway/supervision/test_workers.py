from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.supervision.child import Child, ChildGone, ChildRefused, Program
from gateway.supervision.workers import Crew, Message
from tests.support.eventually import eventually
from tests.support.routes_text import ROUTES_TEXT

FAKE = (sys.executable, "-m", "tests.support.fake_worker")


@pytest.fixture
def start(tmp_path: Path) -> Message:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES_TEXT)
    return ("start", {"routes": str(path)})


def test_a_killed_member_is_replaced_and_hears_what_is_in_force(start: Message) -> None:
    hold: Message = ("hold", {"capability": "accounts", "seconds": 30})

    async def story() -> None:
        crew = Crew(Program("worker", FAKE), 2, lambda _: [start, hold])
        lost: list[Child] = []
        crew.on_loss = lost.append
        await crew.start()
        assert crew.is_whole
        first, second = crew.members
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        await eventually(lambda: crew.restarts == 1)
        await eventually(lambda: crew.is_whole)
        assert lost == [first]
        assert crew.members[0] not in (None, first)
        assert crew.members[1] is second
        answers = await crew.call_all("holds")
        assert all(answer.reply and answer.reply["holds"]["accounts"]["holding"] for answer in answers)
        told = (await crew.call_all("told_so_far"))[0].reply
        assert told is not None
        assert told["told"][:2] == ["start", "hold"]
        assert await crew.drain(5)
        assert crew.members == (None, None)

    asyncio.run(story())


def test_a_member_that_is_missing_answers_with_a_reason(start: Message) -> None:
    async def story() -> None:
        crew = Crew(Program("worker", FAKE), 2, lambda _: [start])
        await crew.start()
        crew._is_stopping = True  # nobody fills the place again
        child = crew.members[0]
        assert child is not None
        child.kill()
        await child.ended()
        gone, alive = await crew.call_all("holds")
        assert gone.reply is None
        assert gone.error is not None
        assert "ended before it answered" in gone.error
        assert alive.reply is not None
        await crew.end()

    asyncio.run(story())


@pytest.mark.parametrize(("how", "error"), [("refuses", ChildRefused), ("dies", ChildGone)])
def test_a_crew_whose_members_cannot_start_says_why_and_leaves_none(
    start: Message, how: str, error: type[Exception]
) -> None:
    async def story() -> None:
        crew = Crew(Program("worker", FAKE, {**os.environ, "FAKE_WORKER": how}), 2, lambda _: [start])
        with pytest.raises(error):
            await crew.start()
        assert crew.members == (None, None)

    asyncio.run(story())


def test_a_crew_that_is_only_kept_fills_its_places_by_itself(start: Message) -> None:
    async def story() -> None:
        crew = Crew(Program("comparer", FAKE), 1, lambda _: [start])
        crew.keep()
        crew.keep()
        await eventually(lambda: crew.is_whole)
        assert crew.restarts == 0
        await crew.end()

    asyncio.run(story())


def test_a_member_that_does_not_drain_is_killed(start: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.supervision.workers.GRACE_SECONDS", 0.1)

    async def story() -> None:
        crew = Crew(Program("worker", FAKE), 1, lambda _: [start])
        await crew.start()
        child = crew.members[0]
        assert child is not None
        os.kill(child.pid, signal.SIGSTOP)
        assert not await crew.drain(0.1)

    asyncio.run(story())
