"""`X-Shadow: dry-run` answers as the real request would, and no trace of it stays."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.ledger import ledger_client, open_books, transfer_body

ALICE, BOB = "2000000001", "2000000002"
DRY = {"X-Shadow": "dry-run"}
EVERYTHING = (
    "SELECT 'posting', to_jsonb(p) FROM posting p UNION ALL SELECT 'account', to_jsonb(a) FROM account a "
    "UNION ALL SELECT 'sequence', to_jsonb(s.last_value) FROM posting_sequence s ORDER BY 1, 2"
)
FENCE = """
CREATE SCHEMA IF NOT EXISTS strangler;
CREATE FUNCTION strangler.fence() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'fenced' USING ERRCODE = 'read_only_sql_transaction'; END $$;
CREATE CONSTRAINT TRIGGER strangler_fence AFTER INSERT OR UPDATE OR DELETE ON posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION strangler.fence();
CREATE CONSTRAINT TRIGGER strangler_fence AFTER INSERT OR UPDATE OR DELETE ON account
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION strangler.fence();
"""


@pytest.fixture
def books(modern_db: str) -> str:
    open_books(modern_db, [(ALICE, "GBP", "100.00"), (BOB, "GBP", "50.00")])
    return modern_db


def _everything(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(EVERYTHING).fetchall()


def _ask(url: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with ledger_client(url) as client:
            return await client.post("/v1/transfers", json=body, headers=headers)

    return asyncio.run(ask())


def test_a_dry_run_answers_as_the_real_one_and_leaves_nothing(books: str) -> None:
    before = _everything(books)
    body = transfer_body("r1", ALICE, BOB, "10.00")
    dry = _ask(books, body, DRY)
    assert _everything(books) == before
    real = _ask(books, body, {})
    assert _everything(books) != before
    assert (dry.status_code, dry.json()) == (real.status_code, real.json())


def test_a_dry_run_of_what_is_booked_answers_what_was_booked(books: str) -> None:
    body = transfer_body("r1", ALICE, BOB, "10.00")
    real = _ask(books, body, {})
    before = _everything(books)
    _ask(books, transfer_body("r2", ALICE, BOB, "1.00"), DRY)
    dry = _ask(books, body, DRY)
    assert (dry.status_code, dry.json()) == (200, real.json())
    assert _everything(books) == before


def test_a_refusal_is_the_same_in_a_dry_run(books: str) -> None:
    body = transfer_body("r1", ALICE, BOB, "100.01")
    assert _ask(books, body, DRY).text == _ask(books, body, {}).text


def test_the_fence_stops_a_real_transfer_and_not_a_dry_run(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute(FENCE)
    before = _everything(books)
    body = transfer_body("r1", ALICE, BOB, "10.00")
    dry, real = _ask(books, body, DRY), _ask(books, body, {})
    assert (dry.status_code, dry.json()["debtorBalance"]["amount"]) == (201, "90.00")
    assert (real.status_code, real.json()["code"]) == (503, "fenced")
    postings = [row for row in before if row[0] != "sequence"]
    assert [row for row in _everything(books) if row[0] != "sequence"] == postings


def test_a_dry_run_gives_way_to_the_stream(books: str) -> None:
    """It never waits as long as PostgreSQL takes to look for a deadlock, so it is it that gives up."""
    with psycopg.connect(books) as stream:
        stream.execute("SELECT FROM account WHERE account_id = %s FOR UPDATE", (ALICE,))
        answer = _ask(books, transfer_body("r1", ALICE, BOB, "10.00"), DRY)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


def test_an_unknown_kind_of_shadow_is_refused(books: str) -> None:
    before = _everything(books)
    answer = _ask(books, transfer_body("r1", ALICE, BOB, "10.00"), {"X-Shadow": "for-real"})
    assert (answer.status_code, answer.json()["code"]) == (400, "format")
    assert _everything(books) == before


def test_a_copy_for_a_sandbox_is_carried_out(books: str) -> None:
    before = _everything(books)
    assert _ask(books, transfer_body("r1", ALICE, BOB, "10.00"), {"X-Shadow": "mirror"}).status_code == 201
    assert _everything(books) != before
