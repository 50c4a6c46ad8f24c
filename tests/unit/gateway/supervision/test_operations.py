from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from config.errors import UnknownCapability
from gateway.supervision.child import Program
from gateway.supervision.in_force import TableInForce
from gateway.supervision.operations import ComparerDown, Operations
from gateway.supervision.workers import Crew, Message
from tests.support.desk import begun, journal_in
from tests.support.eventually import eventually
from tests.support.routes_text import ROUTES_TEXT

FAKE = (sys.executable, "-m", "tests.support.fake_worker")
Story = Callable[[Operations], Awaitable[None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES_TEXT)
    return path


def _edit(path: Path, stage: str) -> None:
    path.write_text(ROUTES_TEXT.replace("stage: shadow", stage))


def _forget_all(path: Path) -> None:
    path.write_text("version: 1\n")


def _play(path: Path, story: Story, workers: int = 2) -> None:
    async def run() -> None:
        table = TableInForce(path, {})
        message: Message = ("table", {"path": str(path)})
        crew = Crew(
            Program("worker", FAKE), workers, lambda _: [("start", {"routes": str(path)}), *operations.holds_in_force()]
        )
        operations = Operations(table, crew, Crew(Program("comparer", FAKE), 1, lambda _: []), lambda: message)
        await crew.start()
        try:
            await story(operations)
        finally:
            await crew.end()

    asyncio.run(run())


def test_a_hold_is_acknowledged_when_every_worker_holds(path: Path) -> None:
    async def story(operations: Operations) -> None:
        state = await operations.hold("accounts", 30)
        assert state["acknowledged"]
        assert state["held"] == 2
        assert 29 < state["expires_in"] <= 30
        assert not (await operations.hold_state("cards"))["holding"]
        assert not (await operations.release("accounts"))["holding"]

    _play(path, story)


def test_a_hold_is_not_acknowledged_while_a_worker_is_missing_and_again_when_it_is_back(path: Path) -> None:
    async def story(operations: Operations) -> None:
        await operations.hold("accounts", 30)
        first = operations.workers.members[0]
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        await first.ended()
        assert not (await operations.hold_state("accounts"))["acknowledged"]

        async def is_acknowledged() -> bool:
            return bool((await operations.hold_state("accounts"))["acknowledged"])

        await eventually(is_acknowledged)
        assert operations.workers.restarts == 1

    _play(path, story)


@pytest.mark.parametrize(("status", "is_released"), [("open", False), ("committed", False), ("undone", True)])
def test_a_hold_that_its_run_left_behind_stays_until_the_run_is_known_to_have_ended(
    path: Path, status: str, is_released: bool
) -> None:
    journal = journal_in(path.parent)
    record = begun(journal)
    if status == "committed":
        record.commit("ok")
    elif status == "undone":
        record.end("undone")
    journal.control.close()

    async def story(operations: Operations) -> None:
        await operations.hold("accounts", 0.001, record.run_id)

        async def is_cut_off() -> bool:
            return bool((await operations.hold_state("accounts"))["cut_off"])

        await eventually(is_cut_off)
        assert [message["run"] for _, message in operations.holds_in_force()] == [record.run_id]
        await operations.end_leases(path.parent)
        assert await is_cut_off() is not is_released
        assert len(operations.holds_in_force()) == (0 if is_released else 1)

    _play(path, story)


def test_a_hold_of_a_capability_that_routes_yaml_forgot_is_forgotten(path: Path) -> None:
    async def story(operations: Operations) -> None:
        await operations.hold("accounts", 0.001, "r-1")
        _forget_all(path)
        await operations.reload()

        async def is_forgotten() -> bool:
            await operations.end_leases(path.parent)
            return not operations.holds_in_force()

        await eventually(is_forgotten)

    _play(path, story)


def test_an_unknown_capability_is_named(path: Path) -> None:
    async def story(operations: Operations) -> None:
        with pytest.raises(UnknownCapability, match="loans"):
            await operations.hold("loans", 1)

    _play(path, story, workers=1)


def test_the_table_is_never_older_than_the_file(path: Path) -> None:
    async def story(operations: Operations) -> None:
        before = await operations.table()
        _edit(path, "stage: canary")
        after = await operations.table()
        assert after["digest"] != before["digest"]
        assert [worker["digest"] for worker in after["workers"]] == [after["digest"]] * 2
        assert (await operations.capabilities())["accounts"]["stage"] == "canary"

    _play(path, story)


def test_a_refused_file_is_explained_and_not_passed_on(path: Path) -> None:
    async def story(operations: Operations) -> None:
        before = await operations.table()
        _edit(path, "stage: shdaow")
        after = await operations.table()
        assert after["digest"] == before["digest"]
        assert after["workers"] == before["workers"]
        assert "capabilities.accounts.stage" in after["refused"][0]

    _play(path, story)


def test_counts_of_a_worker_that_is_gone_are_kept(path: Path) -> None:
    async def story(operations: Operations) -> None:
        capabilities = await operations.capabilities()
        assert capabilities["accounts"]["requests"] == {"legacy": {"2xx": 2}}
        first = operations.workers.members[0]
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        await eventually(lambda: bool(operations.workers.restarts and operations.workers.is_whole))
        # The fake that took its place has counted one request as well.
        assert (await operations.capabilities())["accounts"]["requests"] == {"legacy": {"2xx": 3}}

    _play(path, story)


def test_without_a_comparer_there_is_no_summary(path: Path) -> None:
    async def story(operations: Operations) -> None:
        with pytest.raises(ComparerDown):
            await operations.shadow("accounts")

    _play(path, story, workers=1)


def test_a_worker_that_missed_a_table_is_told_again(path: Path) -> None:
    async def story(operations: Operations) -> None:
        _edit(path, "stage: canary")
        missed = operations.workers.members[0]
        await operations.reload()
        assert missed is not None
        missed.digest = "an older one"
        table = await operations.table()
        assert {worker["digest"] for worker in table["workers"]} == {table["digest"]}

    _play(path, story)
