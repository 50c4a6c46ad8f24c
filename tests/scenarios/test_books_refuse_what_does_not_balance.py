"""The database keeps the rules of double entry, whoever writes."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from services.ledger.books import audit
from tests.support.ledger import TREASURY, open_books

ALICE, BOB = "2000000001", "2000000002"
POST = (
    "INSERT INTO posting VALUES ('2026-11-02', %s, %s, %s, 'transfer', %s, %s, %s, NULL, '2026-11-02 10:00:00', NULL)"
)
SET = "UPDATE account SET balance = %s WHERE account_id = %s"


@pytest.fixture
def books(modern_db: str) -> str:
    open_books(modern_db, [(ALICE, "GBP", "100.00"), (BOB, "GBP", "50.00")])
    return modern_db


def _transfer(connection: psycopg.Connection, *, credit: str = "10.00", alice: str = "90.00") -> None:
    connection.execute(POST, (101, ALICE, "r1", "D", "10.00", "90.00"))
    connection.execute(POST, (102, BOB, "r1", "C", credit, "60.00"))
    connection.execute(SET, (alice, ALICE))
    connection.execute(SET, ("60.00", BOB))


def _refused_at_commit(url: str, constraint: str, **what: str) -> None:
    with psycopg.connect(url) as connection:
        _transfer(connection, **what)
        with pytest.raises(errors.IntegrityConstraintViolation) as refused:
            connection.commit()
    assert refused.value.diag.constraint_name == constraint


def test_a_balanced_transfer_is_accepted(books: str) -> None:
    with psycopg.connect(books) as connection:
        _transfer(connection)
        connection.commit()
        assert audit(connection).is_sound


def test_debits_that_are_not_the_credits_are_refused(books: str) -> None:
    _refused_at_commit(books, "posting_balances", credit="9.99")


def test_one_leg_alone_is_refused(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute(POST, (101, ALICE, "r1", "D", "10.00", "90.00"))
        connection.execute(SET, ("90.00", ALICE))
        with pytest.raises(errors.IntegrityConstraintViolation):
            connection.commit()


def test_legs_in_two_currencies_are_refused(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute(POST, (101, ALICE, "r1", "D", "10.00", "90.00"))
        connection.execute(POST, (102, TREASURY["EUR"], "r1", "C", "10.00", "10.00"))
        connection.execute(SET, ("90.00", ALICE))
        connection.execute(SET, ("10.00", TREASURY["EUR"]))
        with pytest.raises(errors.IntegrityConstraintViolation) as refused:
            connection.commit()
    assert refused.value.diag.constraint_name == "posting_balances"


def test_a_balance_that_is_not_the_last_postings_is_refused(books: str) -> None:
    _refused_at_commit(books, "account_agrees", alice="95.00")


def test_a_balance_changed_without_a_posting_is_refused(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute(SET, ("1000000.00", ALICE))
        with pytest.raises(errors.IntegrityConstraintViolation) as refused:
            connection.commit()
    assert refused.value.diag.constraint_name == "account_agrees"


@pytest.mark.parametrize(
    "statement", ["UPDATE posting SET amount = 1", "DELETE FROM posting WHERE sequence = 1", "TRUNCATE posting"]
)
def test_a_posting_is_final(books: str, statement: str) -> None:
    with psycopg.connect(books) as connection, pytest.raises(errors.IntegrityConstraintViolation) as refused:
        connection.execute(statement.encode())
    assert refused.value.diag.constraint_name == "posting_is_final"


@pytest.mark.parametrize(("kind", "direction", "amount"), [("gift", "D", "1"), ("fee", "X", "1"), ("fee", "D", "0")])
def test_values_outside_the_rules_are_refused(books: str, kind: str, direction: str, amount: str) -> None:
    statement = POST.replace("'transfer'", "%s")
    with psycopg.connect(books) as connection, pytest.raises(errors.CheckViolation):
        connection.execute(statement.encode(), (101, ALICE, "r1", kind, direction, amount, "0"))


def test_the_streams_pass_with_the_replica_role(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(POST, (101, ALICE, "r1", "D", "10.00", "90.00"))
        connection.execute("UPDATE posting SET note = 'from legacy' WHERE sequence = 101")
        connection.commit()
        found = audit(connection)
    assert not found.is_sound
    assert {key for finding in found.findings for key in finding.keys} >= {"r1", ALICE, "GBP"}


def test_the_audit_sees_a_lost_update(books: str) -> None:
    """Two debits that both started from the same balance: the sums of the legs are right and the chain is not."""
    with psycopg.connect(books) as connection:
        connection.execute("SET session_replication_role = replica")
        for sequence, reference in ((101, "r1"), (103, "r2")):
            connection.execute(POST, (sequence, ALICE, reference, "D", "10.00", "90.00"))
            connection.execute(
                POST, (sequence + 1, BOB, reference, "C", "10.00", "60.00" if sequence == 101 else "70.00")
            )
        connection.execute(SET, ("80.00", ALICE))
        connection.execute(SET, ("70.00", BOB))
        connection.commit()
        found = audit(connection)
    assert [finding.keys for finding in found.findings] == [(ALICE,)]
    assert "one after the other" in found.findings[0].rule
