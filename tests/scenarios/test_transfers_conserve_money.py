"""Transfers through the ledger: nothing lost, nothing doubled, refused as the monolith refuses."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx
import psycopg
import pytest

from services.ledger.books import audit
from tests.support.ledger import TREASURY, ledger_client, open_books, transfer_body

ALICE, BOB, EVA, ROY, IDA, OLA, CAT = (f"200000000{n}" for n in range(1, 8))
ACCOUNTS = [(ALICE, "GBP", "100.00"), (BOB, "GBP", "50.00"), (EVA, "EUR", "70.00")]
ACCOUNTS += [(ROY, "GBP", "10.00"), (IDA, "GBP", "10.00"), (OLA, "GBP", "0.00"), (CAT, "GBP", "30.00")]
STATUSES = {ROY: "blocked", IDA: "dormant", OLA: "closed"}


@pytest.fixture
def books(modern_db: str) -> str:
    open_books(modern_db, ACCOUNTS, statuses=STATUSES)
    return modern_db


def _ask(url: str, *bodies: dict[str, Any]) -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        async with ledger_client(url) as client:
            return [await client.post("/v1/transfers", json=body) for body in bodies]

    return asyncio.run(ask())


def _audited(url: str) -> int:
    """How many postings there are, all sound."""
    with psycopg.connect(url) as connection:
        found = audit(connection)
    assert found.is_sound, found.findings
    return sum(total.postings for total in found.totals)


def test_a_transfer_is_two_postings_and_two_balances(books: str) -> None:
    before = _audited(books)
    (answer,) = _ask(books, transfer_body("r1", ALICE, BOB, "12.3", note="rent"))
    assert (answer.status_code, answer.json()) == (
        201,
        {
            "reference": "r1",
            "status": "booked",
            "bookedOn": "2026-11-02",
            "debtor": ALICE,
            "creditor": BOB,
            "amount": {"currency": "GBP", "amount": "12.30"},
            "debtorBalance": {"currency": "GBP", "amount": "87.70"},
        },
    )
    assert _audited(books) == before + 2
    with psycopg.connect(books) as connection:
        legs = connection.execute(
            "SELECT account_id, direction, balance_after::text, counterparty, note, kind FROM posting "
            "WHERE reference = 'r1' ORDER BY sequence"
        ).fetchall()
    assert legs == [
        (ALICE, "D", "87.70", BOB, "rent", "transfer"),
        (BOB, "C", "62.30", ALICE, "rent", "transfer"),
    ]


@pytest.mark.parametrize(
    ("debtor", "creditor", "amount", "code", "legacy_code"),
    [
        (ALICE, "2999999999", "0.001", "format", "30"),
        (ALICE, BOB, "0.00", "format", "30"),
        (ALICE, ALICE, "1.00", "format", "30"),
        (ALICE, BOB, "-1", "format", "30"),
        (ALICE, BOB, "1e3", "format", "30"),
        (ALICE, BOB, "10000000000.00", "format", "30"),
        (ROY, "2999999999", "999.00", "account_unknown", "14"),
        ("2999999999", ROY, "999.00", "account_unknown", "14"),
        (ROY, BOB, "999.00", "account_not_usable", "20"),
        (IDA, BOB, "1.00", "account_not_usable", "20"),
        (ALICE, ROY, "999.00", "account_not_usable", "20"),
        (ALICE, OLA, "1.00", "account_not_usable", "20"),
        (ALICE, EVA, "999.00", "currencies_differ", "20"),
        (ALICE, BOB, "100.01", "funds", "51"),
    ],
)
def test_refusals_come_in_the_monoliths_order_and_write_nothing(
    books: str, debtor: str, creditor: str, amount: str, code: str, legacy_code: str
) -> None:
    before = _audited(books)
    (answer,) = _ask(books, transfer_body("r1", debtor, creditor, amount))
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["legacyCode"]) == (code, legacy_code)
    assert answer.json()["status"] == answer.status_code
    assert _audited(books) == before


def test_a_dormant_account_may_be_paid_and_an_internal_one_not_overdrawn(books: str) -> None:
    paid, overdrawn = _ask(
        books, transfer_body("r1", ALICE, IDA, "100.00"), transfer_body("r2", TREASURY["GBP"], ALICE, "0.01")
    )
    assert (paid.status_code, overdrawn.json()["code"]) == (201, "funds")
    _audited(books)


def test_the_same_reference_twice_is_one_effect(books: str) -> None:
    before = _audited(books)
    body = transfer_body("r1", ALICE, BOB, "10.00")
    first, other, again, reused, reversed_ = _ask(
        books,
        body,
        transfer_body("r2", ALICE, BOB, "5.00"),
        body,
        transfer_body("r1", ALICE, BOB, "11.00"),
        transfer_body("r1", BOB, ALICE, "10.00"),
    )
    assert (first.status_code, other.status_code, again.status_code) == (201, 201, 200)
    assert again.json() == first.json()
    assert [(one.status_code, one.json()["code"]) for one in (reused, reversed_)] == [(422, "reference_reused")] * 2
    assert _audited(books) == before + 4


def test_the_same_reference_at_the_same_moment_is_one_effect(books: str) -> None:
    before = _audited(books)

    async def ask() -> list[httpx.Response]:
        async with ledger_client(books) as client:
            body = transfer_body("r1", ALICE, BOB, "10.00")
            return await asyncio.gather(*(client.post("/v1/transfers", json=body) for _ in range(12)))

    answers = asyncio.run(ask())
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert _audited(books) == before + 2


def test_twenty_at_once_conserve_money(books: str) -> None:
    before = _audited(books)
    dice = random.Random(87)

    async def client_of(number: int, client: httpx.AsyncClient) -> int:
        done = 0
        for turn in range(10):
            debtor, creditor = dice.sample([ALICE, BOB, CAT], 2)
            body = transfer_body(f"c{number}-{turn}", debtor, creditor, f"{dice.randint(1, 3000) / 100:.2f}")
            answer = await client.post("/v1/transfers", json=body)
            assert answer.status_code == 201 or answer.json()["code"] == "funds", answer.text
            done += answer.status_code == 201
        return done

    async def all_of_them() -> int:
        async with ledger_client(books) as client:
            return sum(await asyncio.gather(*(client_of(number, client) for number in range(20))))

    done = asyncio.run(all_of_them())
    assert done > 50
    assert _audited(books) == before + 2 * done


def test_what_the_ledger_writes_fits_the_monoliths_columns(modern_db: str) -> None:
    open_books(modern_db, [(ALICE, "GBP", "9999999999.99"), (BOB, "GBP", "0.01")])
    answers = _ask(
        modern_db,
        transfer_body("r" * 37, ALICE, BOB, "1.00"),
        transfer_body("r1", ALICE, BOB, "1.00", note="n" * 41),
        transfer_body("r1", BOB, ALICE, "0.01"),
        transfer_body("ü" * 36, ALICE, BOB, "9999999999.98", note="ö" * 40),
        transfer_body("r2", ALICE, BOB, "0.01"),
    )
    assert [answer.json().get("legacyCode", "00") for answer in answers] == ["30", "30", "96", "00", "96"]
    with psycopg.connect(modern_db) as connection:
        connection.execute(
            "SELECT sequence::numeric(12), reference::varchar(36), amount::numeric(12, 2), note::varchar(40), "
            "balance_after::numeric(12, 2) FROM posting WHERE kind = 'transfer'"
        )
