from __future__ import annotations

import asyncio
import os
import sys

import pytest

from gateway.supervision.child import Child, ChildGone, ChildRefused, ChildSilent, Program

FAKE = (sys.executable, "-m", "tests.support.fake_worker")


async def _spawn(**environ: str) -> Child:
    return await Child.spawn(Program("worker", FAKE, {**os.environ, **environ}))


def test_it_answers_and_ends_by_itself_when_told() -> None:
    async def story() -> None:
        child = await _spawn()
        assert (await child.call("hold", {"capability": "accounts", "seconds": 9}))["ok"]
        assert (await child.call("holds"))["holds"]["accounts"]["holding"]
        await child.call("drain")
        assert await child.ended() == 0
        with pytest.raises(ChildGone, match=str(child.pid)):
            await child.call("holds")

    asyncio.run(story())


def test_questions_arrive_in_the_order_in_which_they_were_asked() -> None:
    async def story() -> None:
        child = await _spawn()
        release, hold = (
            child.call("release", {"capability": "a"}),
            child.call("hold", {"capability": "a", "seconds": 1}),
        )
        await hold
        await release
        assert (await child.call("told_so_far"))["told"] == ["release", "hold", "told_so_far"]
        child.kill()
        assert await child.ended() == -9

    asyncio.run(story())


def test_a_refusal_and_a_silence_are_named() -> None:
    async def story() -> None:
        child = await _spawn()
        with pytest.raises(ChildRefused, match=r"refused 'table': /nowhere/routes.yaml cannot be read"):
            await child.call("table", {"path": "/nowhere/routes.yaml"})
        with pytest.raises(ChildSilent, match=r"'silence' within 0.05 s"):
            await child.call("silence", within=0.05)
        assert child.digest is None
        child.kill()
        await child.ended()

    asyncio.run(story())


def test_a_child_that_dies_fails_what_was_asked_of_it() -> None:
    async def story() -> None:
        child = await _spawn(FAKE_WORKER="dies")
        with pytest.raises(ChildGone):
            await child.call("silence")
        assert await child.ended() == 3

    asyncio.run(story())


def test_it_ends_when_our_end_of_the_channel_closes() -> None:
    async def story() -> None:
        child = await _spawn()
        await child.call("holds")
        child._writer.close()
        assert await child.ended() == 0

    asyncio.run(story())
