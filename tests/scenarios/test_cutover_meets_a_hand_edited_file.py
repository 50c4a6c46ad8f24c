"""A hand in routes.yaml in the middle of a run stops it before the point of no return and is kept after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import DatabaseDown
from config.reader import read_routes
from runbook.advance import advance
from runbook.demo.processes import free_port
from runbook.errors import PlanStale
from runbook.execute import Event
from tests.support.standing import Standing, standing
from tests.support.waiting import wait_until

HAND = "# a hand was here\n"


def edit_at(bank: Standing, step: str, result: str) -> None:
    """Run advance, and append a line to routes.yaml when that event comes."""

    def edit(event: Event) -> None:
        if (event.step, event.result) == (step, result):
            bank.routes.write_text(bank.routes.read_text() + HAND)

    advance(bank.routes, "accounts", actor="alice", progress=edit)


def test_an_edit_before_the_point_of_no_return_undoes_everything(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        with pytest.raises(PlanStale) as caught:
            edit_at(bank, "drain", "done")
        assert caught.value.exit_code == 5
        assert (bank.stage, bank.home) == ("canary", "legacy")
        assert not bank.gateway.holds
        assert bank.routes.read_text().endswith(HAND)
        bank.write()


@pytest.mark.parametrize("moment", [("journal", "done"), ("reverse", "done")], ids=" ".join)
def test_an_edit_after_it_is_kept_and_the_run_finishes(
    tmp_path: Path, legacy_db: str, modern_db: str, moment: tuple[str, str]
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        edit_at(bank, *moment)
        wait_until(lambda: (bank.stage, bank.home, bank.modes) == ("modern", "modern", ("skip", "apply")), "modern")
        assert bank.routes.read_text().endswith(HAND)


def test_without_the_control_database_nothing_is_run(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        gone = f"  control: {{url: 'postgresql://nobody@127.0.0.1:{free_port()}/control'}}\n"
        bank.routes.write_text(bank.routes.read_text().replace("databases:\n", f"databases:\n{gone}", 1))
        with pytest.raises(DatabaseDown, match="control"):
            advance(bank.routes, "accounts", actor="alice")
        assert (bank.stage, bank.home) == ("canary", "legacy")
        assert not bank.gateway.holds
        assert read_routes(bank.routes).databases["control"].url.startswith("postgresql")
