from __future__ import annotations

import pytest

from migrations.upgrade import upgrade
from runbook.schema_gate import Schema, judge_schema, look_at_schema
from runbook.sides import Side, connect_to


@pytest.mark.parametrize(
    ("schema", "evidence", "remedy"),
    [
        (Schema(9, missing=("a", "b")), "not applied: a, b", "strangler migrate upgrade ledger"),
        (Schema(9, unsafe=("x.py: rule",)), "would block or break: x.py: rule", "strangler migrate lint ledger"),
        (Schema(9, invalid=("public.i",)), "invalid indexes: public.i", "strangler migrate upgrade ledger --repair"),
    ],
)
def test_each_thing_that_is_wrong_has_its_command(schema: Schema, evidence: str, remedy: str) -> None:
    found = judge_schema("ledger", schema)
    assert (found.ok, found.evidence, found.remedy) == (False, evidence, remedy)


def test_what_is_whole_passes_and_so_do_tables_that_others_make() -> None:
    assert judge_schema("ledger", Schema(9)).ok
    assert "no revisions here" in judge_schema("elsewhere", None).evidence


def test_a_database_is_compared_with_its_services_revisions(modern_db: str) -> None:
    with connect_to(modern_db, "ledger") as conn:
        side = Side("modern", "ledger", conn, ("account",))
        assert look_at_schema(side) is None
        upgrade(modern_db, "ledger", "expand")
        whole = look_at_schema(side)
        assert whole is not None
        assert whole == Schema(whole.revisions)
        first = "SELECT revision FROM strangler.revision ORDER BY applied_at LIMIT 1"
        conn.execute(f"UPDATE alembic_version SET version_num = ({first})".encode())
        behind = look_at_schema(side)
        assert behind is not None
        assert len(behind.missing) == whole.revisions - 1
        assert look_at_schema(Side("modern", "elsewhere", conn, ())) is None
