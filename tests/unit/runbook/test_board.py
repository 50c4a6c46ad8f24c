from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import UnknownCapability
from runbook.board import legal_commands, read_boards
from runbook.stages import STAGES
from tests.support.desk import begun, journal_in
from tests.support.standing import standing
from tests.support.two_homes import write_routes


def test_the_board_of_a_bank_that_is_well(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        (board,) = read_boards(bank.routes)
        assert (board.stage, board.percent, board.home) == ("canary", 5.0, "legacy")
        assert [(line.name, line.state, line.mode) for line in board.streams] == [
            ("accounts:forward", "streaming", "apply"),
            ("accounts:reverse", "streaming", "skip"),
        ]
        assert [line.is_current for line in board.gateways] == [True]
        assert board.next_command == "strangler advance accounts --percent 25"
        assert board.waivers[0].gate == "comparison"
        assert board.unknown == ()


def test_what_is_down_is_shown_and_hides_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRANGLER_RUN", raising=False)
    routes = write_routes(tmp_path, "postgresql://x@127.0.0.1:1/a", "postgresql://x@127.0.0.1:1/b", stage="modern")
    (tmp_path / ".strangler").mkdir()
    record = begun(journal_in(tmp_path / ".strangler"))
    (board,) = read_boards(routes, "accounts")
    assert (board.stage, board.home, board.percent) == ("modern", "modern", None)
    assert [line.state for line in board.streams] == ["unknown", "unknown"]
    assert len(board.unknown) == 3
    assert board.run is not None
    assert board.next_command == f"strangler advance accounts  (completes or undoes run {record.run_id})"


def test_an_unknown_capability(tmp_path: Path) -> None:
    routes = write_routes(tmp_path, "postgresql://a/b", "postgresql://a/c")
    with pytest.raises(UnknownCapability):
        read_boards(routes, "acounts")


def test_every_stage_has_its_legal_commands() -> None:
    assert legal_commands("accounts", "canary") == (
        "strangler advance accounts",
        "strangler advance accounts --percent N",
        "strangler advance accounts --auto",
        "strangler back accounts",
    )
    assert [len(legal_commands("accounts", stage)) for stage in STAGES] == [1, 3, 4, 2, 0]
