from __future__ import annotations

import pytest

from config.errors import DatabaseDown
from migrations import upgrade as upgrades
from migrations.environment import UnknownBranch, UnknownService
from migrations.errors import AnotherUpgradeRuns, ContractNotAllowed, RevisionFailed
from migrations.upgrade import upgrade

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def test_what_is_unknown_is_refused_before_anybody_connects() -> None:
    with pytest.raises(UnknownService):
        upgrade(NOWHERE, "nothing")
    with pytest.raises(UnknownBranch):
        upgrade(NOWHERE, branch="sideways")


def test_contract_needs_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    known = upgrades.revisions
    monkeypatch.setattr(upgrades, "revisions", lambda config, _: known(config, "expand"))
    with pytest.raises(ContractNotAllowed, match="Retire every capability"):
        upgrade(NOWHERE, branch="contract")
    with pytest.raises(DatabaseDown):
        upgrade(NOWHERE, branch="contract", run="run-1")


def test_errors_say_what_is_in_force() -> None:
    assert "nothing was applied" in str(AnotherUpgradeRuns("ledger", 60))
    assert "Revisions before it stay applied" in str(RevisionFailed("ledger", "CREATE TABLE x", "it exists"))
