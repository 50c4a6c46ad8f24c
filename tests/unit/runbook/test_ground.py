from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import NotConfigured, UnknownCapability
from config.reader import digest_of, read_routes
from runbook.errors import NoSuchTransition
from runbook.ground import standing_on, transition_of
from tests.support.desk import journal_in
from tests.support.two_homes import two_homes, write_routes


def test_where_a_command_leads(tmp_path: Path) -> None:
    routes = read_routes(write_routes(tmp_path, "postgresql://a/b", "postgresql://a/c", stage="shadow"))
    assert transition_of(routes, "accounts", "advance", 25).name == "shadow -> canary 25 %"
    assert transition_of(routes, "accounts", "back", None).name == "shadow -> legacy"
    with pytest.raises(UnknownCapability, match="accounts"):
        transition_of(routes, "acounts", "advance", None)


def test_canary_needs_its_section(tmp_path: Path) -> None:
    path = write_routes(tmp_path, "postgresql://a/b", "postgresql://a/c", stage="shadow")
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "canary:" not in line))
    with pytest.raises(NotConfigured, match="canary"):
        transition_of(read_routes(path), "accounts", "advance", None)
    with pytest.raises(NoSuchTransition):
        transition_of(read_routes(path), "accounts", "advance", 200)


def test_the_roles_of_both_sides_follow_the_home(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db, rows=False):
        for stage, kind, old, flow, way_back in (
            ("canary", "advance", "legacy", "accounts:forward", "accounts:reverse"),
            ("modern", "back", "ledger", "accounts:reverse", "accounts:forward"),
        ):
            routes = read_routes(write_routes(tmp_path, legacy_db, modern_db, stage=stage))
            move = transition_of(routes, "accounts", kind, None)  # type: ignore[arg-type]
            with standing_on(routes, "accounts", move, journal_in(tmp_path)) as ground:
                assert (ground.old.database, ground.flow, ground.way_back) == (old, flow, way_back)
                assert ground.new.database != ground.old.database
                assert ground.file_digest() == routes.digest == digest_of(routes.path.read_bytes())


def test_without_sync_there_are_no_databases(tmp_path: Path) -> None:
    path = write_routes(tmp_path, "postgresql://127.0.0.1:1/b", "postgresql://127.0.0.1:1/c")
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "sync:" not in line))
    routes = read_routes(path)
    with standing_on(
        routes, "accounts", transition_of(routes, "accounts", "advance", None), journal_in(tmp_path)
    ) as ground:
        assert ground.sides is None
        with pytest.raises(NotConfigured):
            _ = ground.both
