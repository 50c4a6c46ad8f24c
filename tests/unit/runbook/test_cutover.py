"""The steps of a cutover, one at a time; all of them together are in the scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from cdc.fence import fence_is_raised, lift_fence, raise_fence
from config.errors import DatabaseDown
from config.reader import digest_of, read_routes
from config.writer import set_stage
from runbook import cutover, steps
from runbook.demo.cluster import Cluster
from runbook.errors import BudgetExceeded
from runbook.gateways import Hold
from runbook.ground import Ground, standing_on, transition_of
from tests.support.desk import journal_in
from tests.support.standing import Standing, standing

ELEVEN = ["hold", "fence", "drain", "spot verify", "sequences", "journal", "reverse", "stage", "release"]


@pytest.fixture(scope="module")
def the_bank(
    tmp_path_factory: pytest.TempPathFactory, legacy_server: Cluster, modern_server: Cluster
) -> Iterator[Standing]:
    """One for the module, because standing takes a second."""
    urls = [server.create_database("cutover_steps") for server in (legacy_server, modern_server)]
    with standing(tmp_path_factory.mktemp("cutover"), *urls) as bank:
        yield bank
    for server in (legacy_server, modern_server):
        server.drop_database("cutover_steps")


@pytest.fixture
def bank(the_bank: Standing) -> Iterator[Standing]:
    """Put back to where it stood, after each test."""
    yield the_bank
    lift_fence(the_bank.sides.legacy.conn, the_bank.sides.legacy.tables)
    raise_fence(the_bank.sides.modern.conn, the_bank.sides.modern.tables, None, 5)
    the_bank.sides.modern.ask("UPDATE strangler.stream SET mode = 'apply', marker = NULL")
    the_bank.sides.legacy.ask("UPDATE strangler.stream SET mode = 'skip', marker = NULL")
    the_bank.gateway.holds.clear()
    the_bank.gateway.in_flight = 0


@contextmanager
def ground_of(bank: Standing, kind: str = "advance", stage: str = "canary") -> Iterator[Ground]:
    set_stage(bank.routes, "accounts", stage, digest_of(bank.routes.read_bytes()))
    routes = read_routes(bank.routes)
    move = transition_of(routes, "accounts", kind, None)  # type: ignore[arg-type]
    with standing_on(routes, "accounts", move, journal_in(bank.routes.parent)) as ground:
        ground.run_id = "r-test"
        yield ground


def test_the_steps_and_their_order_name_concrete_objects(bank: Standing) -> None:
    with ground_of(bank) as ground:
        steps = cutover.steps_for(ground)
        assert [step.name for step in steps.all] == ["preflight", "approvals", "prepare", *ELEVEN]
        assert [step.name for step in steps.after] == ["reverse", "stage", "release"]
        text = "\n".join(step.describe() for step in steps.all)
        for named in ("acctmast", "accounts:forward", "accounts:reverse", "routes.yaml", bank.gateway.url, "3 s"):
            assert named in text


def test_each_step_knows_from_reality_whether_it_is_done(bank: Standing) -> None:
    with ground_of(bank) as ground:
        prepared = cutover.Prepared(ground, steps.StageWritten(ground))
        prepared.run()
        bank.stream_stalls.set()  # else the marker may have arrived before it is looked for
        for step in (cutover.Held(ground), cutover.Fenced(ground), cutover.Drained(ground), cutover.Reversed(ground)):
            assert not step.is_done(), step.name
            if step.name == "drain":
                bank.stream_stalls.clear()
            step.run()
            assert step.is_done(), step.name
        released = cutover.Released(ground)
        assert not released.is_done()
        released.run()
        assert released.is_done()
        assert ground.budget.pause_seconds is not None


def test_undoing_what_never_ran_changes_nothing(bank: Standing) -> None:
    with ground_of(bank) as ground:
        with psycopg.connect(bank.legacy_db) as writer:
            writer.execute("UPDATE custmast SET lst_upd = 'open'")
            for step in reversed(cutover.steps_for(ground).before):
                step.undo()
        assert bank.home == "legacy"


def test_an_undo_waits_for_a_fence_that_is_about_to_commit(bank: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    with ground_of(bank) as ground:
        with psycopg.connect(bank.legacy_db) as killed:
            killed.execute("LOCK TABLE custmast IN SHARE ROW EXCLUSIVE MODE")
            monkeypatch.setattr(cutover, "UNDO_SECONDS", 0.05)
            with pytest.raises(BudgetExceeded, match="earlier fence"):
                cutover.Fenced(ground).undo()
        cutover.Fenced(ground).undo()


def test_a_gateway_that_died_does_not_keep_a_run_from_being_undone(bank: Standing) -> None:
    with ground_of(bank) as ground:
        ground.gateways.urls = ("http://127.0.0.1:1",)
        cutover.Held(ground).undo()


def test_a_write_in_flight_is_waited_for(bank: Standing) -> None:
    with ground_of(bank) as ground:
        bank.gateway.in_flight = 4
        cutover.Held(ground).run()
        assert bank.gateway.in_flight == 0
        bank.gateway.in_flight = 1 << 40
        ground.budget.seconds = 0.2
        with pytest.raises(BudgetExceeded, match="no write of accounts is in flight"):
            cutover.Held(ground).run()


def test_a_hold_begins_in_a_calm_moment_or_after_a_while(bank: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    with ground_of(bank) as ground:
        asked: list[int] = []

        def holds(_name: str) -> tuple[Hold, ...]:
            asked.append(max(0, 5 - 2 * len(asked)) if len(asked) < 9 else 5)
            return (Hold("", False, 0, asked[-1], False, 0.0),)

        monkeypatch.setattr(ground.gateways, "holds", holds)
        prepared = cutover.Prepared(ground, steps.StageWritten(ground))
        prepared.run()
        assert asked == [5, 3, 1]
        asked += [0] * 6
        monkeypatch.setattr(cutover, "CALM_SECONDS_MAX", 0.02)
        assert prepared.run() == "ready"
        assert asked[-1] == 5


def test_the_marker_and_the_lifted_fence_are_one_transaction(bank: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    with ground_of(bank) as ground:
        cutover.Fenced(ground).run()

        def breaks(*_: object) -> None:
            raise DatabaseDown("ledger", "gone")

        monkeypatch.setattr(cutover.fence, "lift_fence", breaks)
        with pytest.raises(DatabaseDown):
            cutover.Reversed(ground).run()
        assert fence_is_raised(bank.sides.modern.conn, bank.sides.modern.tables)
        assert bank.modes[1] == "skip", "a marker without the lifted fence would let the stream apply too early"


def test_back_exchanges_the_roles(bank: Standing) -> None:
    with ground_of(bank, "back", "modern") as ground:
        texts = {step.name: step.describe() for step in cutover.steps_for(ground).all}
        assert "ledger refuses writes to customer, account, posting" in texts["fence"]
        assert "accounts:forward applies, accounts:reverse skips; the fence of legacy is lifted" in texts["reverse"]
        assert texts["release"] == "held writes go to monolith"
