"""A rehearsal moves there and back on copies, is remembered for the plan, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from config.reader import read_routes
from runbook.advance import make_plan
from runbook.rehearsal.place import NoRoom
from runbook.rehearsal.rehearse import Plan, rehearse
from tests.support.two_homes import two_homes, write_routes
from tests.support.waiting import wait_until

TRACES = """
SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()),
       (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal)
"""
VERSIONS = {
    "acctmast": "SELECT sum(xmin::text::bigint) FROM acctmast",
    "account": "SELECT sum(xmin::text::bigint) FROM account",
}


def traces(url: str, table: str) -> Any:
    """What a rehearsal must not leave: slots, publications, triggers, rows that were written."""
    with psycopg.connect(url) as connection:
        return connection.execute(TRACES).fetchone(), connection.execute(VERSIONS[table].encode()).fetchone()


@pytest.fixture
def copies() -> Iterator[Path]:
    """A folder whose files an unprivileged PostgreSQL can reach."""
    with tempfile.TemporaryDirectory(prefix="copies-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def test_it_measures_and_is_what_the_plan_predicts_by(
    tmp_path: Path, copies: Path, legacy_db: str, modern_db: str
) -> None:
    with two_homes(tmp_path, legacy_db, modern_db):
        routes = write_routes(tmp_path, legacy_db, modern_db)
        before = traces(legacy_db, "acctmast"), traces(modern_db, "account")
        said: list[str] = []
        found = rehearse(routes, "accounts", Plan(rounds=1, clients=3, folder=copies), "ann", said.append)
        assert (traces(legacy_db, "acctmast"), traces(modern_db, "account")) == before
    assert [move.kind for move in found.moves] == ["advance", "back"]
    for move in found.moves:
        assert {"hold", "fence", "drain", "journal", "reverse", "stage", "release"} <= move.steps.keys()
        assert 0 < move.pause_seconds < 3
        assert move.client_pauses
    assert found.writes > 10
    assert found.failed_writes == 0
    assert found.rows.keys() == {"custmast", "acctmast", "trnhist"}
    assert list(copies.iterdir()) == []
    plan = make_plan(routes, "accounts")
    assert plan.predicted_pause_seconds == found.moves[0].pause_seconds
    assert plan.predicted_by.startswith("as rehearsed at")
    assert plan.step_seconds["fence"] == found.moves[0].steps["fence"]


def test_it_is_refused_where_there_is_no_room(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.rehearsal.place.ROOM_BYTES", 1 << 60)
    with two_homes(tmp_path, legacy_db, modern_db, rows=False):
        routes = write_routes(tmp_path, legacy_db, modern_db)
        with pytest.raises(NoRoom, match="MiB are free") as caught:
            rehearse(routes, "accounts", Plan(folder=tmp_path), "ann", lambda _: None)
    assert "--folder" in caught.value.hint
    assert not list(tmp_path.glob("strangler-*"))


def test_ctrl_c_ends_every_process_and_removes_the_copies(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db):
        routes = write_routes(tmp_path, legacy_db, modern_db)
        assert read_routes(routes)
        log = tmp_path / "log"
        with log.open("wb") as sink:
            running = subprocess.Popen(
                [sys.executable, "-m", "runbook.cli", "rehearse", "accounts", "--routes", str(routes)],
                stderr=sink,
                env=os.environ | {"STRANGLER_RUN": str(tmp_path / "run")},
            )
        wait_until(lambda: "copied trnhist" in log.read_text(), "the copies are made", 30)
        folder = Path(log.read_text().split("copying to ")[1].split(",")[0])
        children = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) != 0
        assert children
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
        assert not folder.exists()
    assert "Traceback" not in log.read_text()
