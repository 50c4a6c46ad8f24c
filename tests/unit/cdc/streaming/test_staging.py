from cdc.statements import Statements
from cdc.streaming.copy_rows import Rows
from cdc.streaming.staging import DELETED_ROWS_MAX, Staging
from tests.support.small_mapping import small_mapping

OF = Statements(small_mapping(), 0)


def texts(staging: Staging, rows: int | None = None) -> list[str]:
    """The first words of the statements that fill a table, or that empty what was filled."""
    steps = staging.clear() if rows is None else staging.copy(OF, "changed", ("id", "body"), Rows(b"", rows))
    return [step.statement.as_string(None).split(" (")[0] for step in steps]


def test_a_table_is_made_when_the_first_rows_come() -> None:
    staging = Staging()
    assert texts(staging, 0) == []
    assert texts(staging, 1) == [
        'CREATE TEMP TABLE IF NOT EXISTS "strangler_changed_0"',
        'COPY "strangler_changed_0"',
    ]
    assert texts(staging, 1) == ['COPY "strangler_changed_0"']


def test_few_rows_are_deleted_and_many_are_truncated_once() -> None:
    staging = Staging()
    texts(staging, DELETED_ROWS_MAX)
    assert texts(staging) == ['DELETE FROM "strangler_changed_0"']
    assert texts(staging) == []
    texts(staging, 1)
    assert texts(staging) == ['TRUNCATE "strangler_changed_0"']
    texts(staging, 1)
    assert texts(staging) == ['DELETE FROM "strangler_changed_0"']


def test_after_a_rollback_nothing_is_taken_for_granted() -> None:
    staging = Staging()
    texts(staging, 1)
    texts(staging)
    staging.rolled_back()
    assert texts(staging) == [
        'CREATE TEMP TABLE IF NOT EXISTS "strangler_changed_0"',
        'TRUNCATE "strangler_changed_0"',
    ]
    assert texts(staging) == []
