from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import psycopg
import pytest
from psycopg import sql

from config.reader import read_routes
from runbook import checks
from runbook.advance import gates
from runbook.gates import GATES
from runbook.ground import Ground, standing_on, transition_of
from tests.support.desk import journal_in
from tests.support.standing import standing


def test_every_gate_has_a_measurement() -> None:
    assert list(checks.MEASURES) == [gate.name for gate in GATES]


# gate, where the damage is done, the damage, and what mends it
DAMAGES = (
    (
        "stream",
        "modern",
        "UPDATE strangler.stream SET state = 'stopped'",
        "UPDATE strangler.stream SET state = 'streaming'",
    ),
    ("stream", "modern", "UPDATE strangler.stream SET mode = 'skip'", "UPDATE strangler.stream SET mode = 'apply'"),
    ("way_back", "legacy", "UPDATE strangler.stream SET alarms = 2", "UPDATE strangler.stream SET alarms = 0"),
    (
        "verify",
        "modern",
        "UPDATE strangler.verify_result SET equal = false",
        "UPDATE strangler.verify_result SET equal = true",
    ),
    (
        "verify",
        "modern",
        "UPDATE strangler.verify_result SET at = at - interval '2 hours'",
        "UPDATE strangler.verify_result SET at = at + interval '2 hours'",
    ),
    (
        "verify",
        "modern",
        "ALTER TABLE strangler.verify_result RENAME TO v",
        "ALTER TABLE strangler.v RENAME TO verify_result",
    ),
    (
        "fences",
        "modern",
        "ALTER TABLE posting DISABLE TRIGGER strangler_fence",
        "ALTER TABLE posting ENABLE TRIGGER strangler_fence",
    ),
    (
        "writers",
        "legacy",
        "ALTER TABLE acctmast DISABLE TRIGGER strangler_census",
        "ALTER TABLE acctmast ENABLE TRIGGER strangler_census",
    ),
    (
        "sequences",
        "modern",
        "ALTER SEQUENCE posting_sequence MAXVALUE 300",
        "ALTER SEQUENCE posting_sequence NO MAXVALUE",
    ),
    ("writers", "legacy", "DROP TRIGGER strangler_census ON acctmast", "SELECT 1"),
    ("stream", "modern", "DELETE FROM strangler.stream", "SELECT 1"),
)


def test_a_bank_that_is_well_and_what_each_damage_blocks(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        well = gates(bank.routes, "accounts")
        assert [f.gate for f in well if not f.ok] == ["comparison"], "nothing was compared in this test"
        assert not any(f.blocks for f in well), "and that was waived"
        for gate, where, damage, remedy in DAMAGES:
            side = bank.sides.legacy if where == "legacy" else bank.sides.modern
            side.ask(damage)  # type: ignore[arg-type]
            blocking = {f.gate for f in gates_without_sentinel(bank.routes) if f.blocks}
            assert blocking == ({gate, "lag"} if damage.startswith("DELETE") else {gate}), damage
            side.ask(remedy)  # type: ignore[arg-type]


def test_who_stays_in_a_transaction_and_who_may_not_do_it_are_named(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.ground.HOLD_BUDGET_SECONDS", 0.0)
    with (
        standing(tmp_path, legacy_db, modern_db) as bank,
        psycopg.connect(legacy_db, application_name="nightly") as writer,
        psycopg.connect(legacy_db, application_name="reader") as reader,
    ):
        writer.execute("UPDATE custmast SET lst_upd = 'x'")
        reader.execute("SELECT count(*) FROM custmast")
        found = {f.gate: f for f in gates_without_sentinel(bank.routes)}
        assert "nightly" in found["transactions"].evidence
        assert "reader" not in found["transactions"].evidence
        with standing_on_as(bank.routes, "pg_monitor") as ground:
            (missing,) = checks.MEASURES["privileges"](ground)
        assert "ownership of acctmast in legacy" in missing.evidence
        assert "UPDATE on sequence posting_sequence in ledger" in missing.evidence
        assert "UPDATE on sequence trnhist_seq in legacy" in missing.evidence, "the way back needs it"


def test_a_mapping_without_a_way_back_blocks_canary_until_its_author_gives_one(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        mappings = tmp_path / "mappings"
        copytree(read_routes(bank.routes).capabilities["accounts"].sync.mappings, mappings)
        text = bank.routes.read_text()
        bank.routes.write_text(re.sub(r"mappings: [^,}\n]+", f"mappings: {mappings}", text))
        customer = mappings / "customer.sql"
        select = customer.read_text().replace("CUST_NM  ", "CUST_NM || SEG  ")
        customer.write_text(select)
        assert reversible(bank.routes) == [
            (
                "reversible:customer",
                False,
                "cust_nm: custmast.cust_nm is NOT NULL and no column of customer gives it back "
                "(name is opaque: a concatenation is not taken apart)",
            ),
        ]
        customer.write_text(select + "-- reverse:\nSELECT SUBSTR(name, 1, 30) AS cust_nm FROM customer\n")
        assert reversible(bank.routes) == [("reversible", True, "3 of 3 mappings have one")]


def reversible(path: Path) -> list[tuple[str, bool, str]]:
    routes = read_routes(path)
    with standing_on(
        routes, "accounts", transition_of(routes, "accounts", "advance", None), journal_in(path.parent)
    ) as ground:
        return [(one.gate, one.ok, one.evidence) for one in checks.MEASURES["reversible"](ground)]


@contextmanager
def standing_on_as(routes_path: Path, role: str) -> Iterator[Ground]:
    """Ground whose connections have another role, which may read and nothing else."""
    routes = read_routes(routes_path)
    move = transition_of(routes, "accounts", "advance", None)
    with standing_on(routes, "accounts", move, journal_in(routes_path.parent)) as ground:
        for side in (ground.old, ground.new):
            side.ask(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0}").format(sql.Identifier(role)))
            side.ask(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield ground


def gates_without_sentinel(routes: Path) -> tuple[checks.Finding, ...]:
    """The sentinel needs seconds to be missed; what it finds has its own test."""
    patch = pytest.MonkeyPatch()
    patch.setattr("runbook.sentinel.round_trip", lambda *_: 0.1)
    try:
        return gates(routes, "accounts")
    finally:
        patch.undo()
