from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from config.errors import DatabaseDown
from config.reader import read_routes
from runbook.control import JOURNAL, LEASE, METADATA, Control, now, run_directory
from runbook.journal import Journal


def test_made_on_first_use_with_every_table(tmp_path: Path) -> None:
    control = Control(f"sqlite:///{tmp_path / 'control.db'}", tmp_path / "journal.head")
    found = set(sa.inspect(control.engine).get_table_names())
    assert found == set(METADATA.tables)
    assert {"run", "step_attempt", "gate_result", "approval", "waiver", "journal", "lease"} <= found


def test_a_second_writer_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbook.control.BUSY_SECONDS_MAX", 0.05)
    control = Control(f"sqlite:///{tmp_path / 'control.db'}", tmp_path / "journal.head")
    with control.writing(), control.reading() as reader:
        assert reader.execute(sa.select(sa.func.count()).select_from(LEASE)).scalar_one() == 0
        with pytest.raises(DatabaseDown, match="locked"), control.writing():
            pass


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    control = Control(f"sqlite:///{tmp_path / 'control.db'}", tmp_path / "journal.head")
    row = {"capability": "a", "owner": "b", "machine": "c", "process": "d", "generation": 1, "expires_at": now()}

    def write_and_fail() -> None:
        with control.writing() as connection:
            connection.execute(sa.insert(LEASE).values(**row))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with control.reading() as connection:
        assert connection.execute(sa.select(LEASE)).all() == []


@pytest.mark.parametrize("url", ["", "sqlite:///kept/control.db"])
def test_it_is_beside_routes_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("STRANGLER_RUN", raising=False)
    monkeypatch.chdir("/")
    routes = tmp_path / "routes.yaml"
    routes.write_text("version: 1\n" + (f"databases:\n  control: {{url: '{url}'}}\n" if url else ""))
    Control.of(read_routes(routes)).close()
    assert (tmp_path / ("kept" if url else ".strangler") / "control.db").exists()


def test_the_run_directory_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANGLER_RUN", str(tmp_path / "run"))
    assert run_directory(Path("routes.yaml")) == tmp_path / "run"


def test_on_postgresql_the_journal_is_append_only_too(modern_db: str, tmp_path: Path) -> None:
    control = Control(modern_db, tmp_path / "journal.head")
    journal = Journal(control)
    journal.append("step", "alice", "accounts", {"n": 1})
    assert journal.verify().ok
    with pytest.raises(DatabaseDown, match="append-only"), control.writing() as connection:
        connection.execute(sa.delete(JOURNAL))
    other_machine = Journal(Control(modern_db, tmp_path / "elsewhere.head"))
    other_machine.append("step", "bob", "accounts", {})
    assert other_machine.verify().ok
    assert journal.verify().ok
    control.close()
    other_machine.control.close()
