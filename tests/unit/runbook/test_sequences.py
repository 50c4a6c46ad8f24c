from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql

from runbook.errors import SequenceTooSmall
from runbook.sequences import GAP, Sequence, SequencePlan, belongs
from tests.support.two_homes import two_homes


def named(relation: str, table: str | None = None) -> Sequence:
    return Sequence(relation, "public", relation, 0, 1 << 62, table, True)


@pytest.mark.parametrize(
    ("sequence", "table", "expected"),
    [
        (named("posting_sequence"), "posting", True),
        (named("posting_sequence"), "account", False),
        (named("anything"), "posting", True),
        (named("anything"), "account", True),
        (named("posting_sequence", "account"), "account", True),
        (named("posting_sequence", "account"), "posting", False),
        (named("posting_sequence", "unmapped"), "posting", False),
        (named("account_note_seq"), "account_note", True),
        (named("account_note_seq"), "account", False),
    ],
)
def test_which_table_a_sequence_belongs_to(sequence: Sequence, table: str, expected: bool) -> None:
    assert belongs(sequence, ("posting", "account", "account_note"), table) is expected


def test_there_and_back_the_values_never_meet(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        assert SequencePlan(sides, "legacy").run() == f"posting_sequence 0 -> {250 + GAP:,}"
        assert SequencePlan(sides, "legacy").run() == "all are high enough"
        first_of_modern = sides.modern.ask("SELECT nextval('posting_sequence')")[0][0]
        assert first_of_modern > 250 + GAP
        SequencePlan(sides, "modern").run()
        assert sides.legacy.ask("SELECT nextval('trnhist_seq')")[0][0] > first_of_modern + GAP


def test_keys_that_no_sequence_gave_count_too(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        sides.modern.ask("UPDATE posting SET sequence = 9000 WHERE sequence = 5")
        sides.legacy.ask("SELECT setval('trnhist_seq', 1)")
        (item,) = SequencePlan(sides, "legacy").raises()
        assert item.floor == 9000


def test_sequences_of_other_tables_are_left_alone(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        sides.modern.ask("CREATE TABLE other (id bigserial PRIMARY KEY)")
        sides.modern.ask("ALTER TABLE posting ALTER sequence SET DEFAULT nextval('posting_sequence')")
        raises = SequencePlan(sides, "legacy").raises()
        assert [(item.sequence.name, item.sequence.table) for item in raises] == [("posting_sequence", "posting")]


def test_one_that_ends_too_early_is_an_error(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        sides.modern.ask(sql.SQL("ALTER SEQUENCE posting_sequence MAXVALUE 1000"))
        with pytest.raises(SequenceTooSmall, match="ends at 1000"):
            SequencePlan(sides, "legacy").run()
