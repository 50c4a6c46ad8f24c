"""The monolith, and the facade over the ledger, give the same bytes for the same rows and the same requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest

from legacy_adapter import blocks, wire
from legacy_adapter.codec import encode
from legacy_adapter.facade import application as facade_application
from legacy_adapter.facade_translate import KINDS, STATUSES, TYPES
from legacy_adapter.ledger_client import LedgerClient
from legacy_adapter.monolith.app import build as monolith_application
from legacy_adapter.monolith.schema import create_schema
from migrations.upgrade import upgrade
from services.ledger.app import application as ledger_application

CUSTOMERS = ["10000001", "10000002", "10000003"]
ALICE, BOB, ROY, IDA, OLA, EVA, BANK = (f"200000000{n}" for n in range(1, 8))
MANY = [f"20000001{n:02}" for n in range(25)]
# account, customer, product, currency, balance, status
ACCOUNTS = [
    (ALICE, CUSTOMERS[0], "current", "GBP", "1234.50", "open"),
    (BOB, CUSTOMERS[0], "savings", "GBP", "0.00", "open"),
    (ROY, CUSTOMERS[1], "current", "GBP", "100.00", "blocked"),
    (IDA, CUSTOMERS[1], "current", "GBP", "0.05", "dormant"),
    (OLA, CUSTOMERS[1], "current", "GBP", "0.10", "closed"),
    (EVA, CUSTOMERS[1], "current", "EUR", "9999999999.99", "open"),
    (BANK, CUSTOMERS[1], "internal", "GBP", "-20000.00", "open"),
    *((number, CUSTOMERS[0], "current", "GBP", "1.00", "open") for number in MANY),
]
# day, sequence, account, reference, kind, direction, amount, balance after, counterparty, note
POSTINGS: list[tuple[Any, ...]] = [
    ("20261101", 1, ALICE, "OPEN2000000001", "opening", "C", "1000.00", "1000.00", BANK, None),
    ("20261101", 2, ALICE, "ünïcode/1", "transfer", "C", "300.10", "1300.10", BOB, "rént"),
    ("20261101", 3, ALICE, "fee", "fee", "D", "2.50", "1297.60", None, ""),
    ("20261101", 4, ALICE, "INT202611010001", "interest", "C", "0.01", "1297.61", BANK, None),
    *(("20261101", 10 + n, BOB, f"b{n}", "transfer", "C", "10.00", f"{10 * n}.00", ALICE, None) for n in range(30)),
    ("20261102", 9, ALICE, "twice", "transfer", "D", "7.00", "7.70", BOB, None),
    ("20261102", 8, ALICE, "twice", "transfer", "D", "7.00", "14.70", BOB, None),
    ("20261102", 7, BOB, "twice", "transfer", "C", "7.00", "0.70", ALICE, None),
]


@pytest.fixture
def sides(legacy_db: str, modern_db: str) -> tuple[str, str]:
    with psycopg.connect(legacy_db) as legacy:
        create_schema(legacy)
        _fill_legacy(legacy)
    upgrade(modern_db)
    with psycopg.connect(modern_db) as modern:
        modern.execute("SET session_replication_role = replica")
        _fill_modern(modern)
    return legacy_db, modern_db


def _fill_legacy(legacy: psycopg.Connection) -> None:
    for customer in CUSTOMERS:
        legacy.execute("INSERT INTO custmast VALUES (%s, 'A N OTHER', '02011970', 'R', 'GB', '00', NULL)", (customer,))
    for number, customer, product, currency, balance, status in ACCOUNTS:
        row = (number, customer, TYPES[product], currency, balance, STATUSES[status])
        legacy.execute("INSERT INTO acctmast VALUES (%s, %s, %s, %s, %s, %s, '20200101', NULL, '0001')", row)
    for day, sequence, number, reference, kind, direction, *rest in POSTINGS:
        row = (day, sequence, number, reference, KINDS[kind], direction, *rest[:-1], rest[-1])
        legacy.execute(
            "INSERT INTO trnhist VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, '2026-11-01.10.00.00.000000', %s)", row
        )
    legacy.execute("INSERT INTO ctlparm VALUES ('BUSDATE', '20261102')")
    legacy.execute("SELECT setval('trnhist_seq', 1000)")


def _fill_modern(modern: psycopg.Connection) -> None:
    for customer in CUSTOMERS:
        modern.execute("INSERT INTO customer VALUES (%s, 'A N OTHER', '1970-01-02', 'R', 'GB', 'active')", (customer,))
    for row in ACCOUNTS:
        modern.execute("INSERT INTO account VALUES (%s, %s, %s, %s, %s, %s, '2020-01-01', '0001')", row)
    for row in POSTINGS:
        modern.execute(
            "INSERT INTO posting VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, '2026-11-01 10:00:00', %s)", row
        )
    modern.execute("UPDATE setting SET value = '20261102' WHERE name = 'business_date'")
    modern.execute("SELECT setval('posting_sequence', 1000)")


@asynccontextmanager
async def _clients(sides: tuple[str, str]) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    monolith, ledger = monolith_application(sides[0]), ledger_application(sides[1])
    facade = facade_application(LedgerClient("http://ledger", httpx.ASGITransport(app=ledger)))
    async with AsyncExitStack() as stack:
        for app in (monolith, ledger, facade):
            await stack.enter_async_context(app.router.lifespan_context(app))
        yield (
            await stack.enter_async_context(_client(monolith)),
            await stack.enter_async_context(_client(facade)),
        )


def _client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bank")


Asked = tuple[str, str, bytes | None]


def _ask_both(sides: tuple[str, str], requests: Sequence[Asked]) -> list[bytes]:
    """Ask both sides the same, one after the other; returns the bodies, which are equal."""

    async def ask() -> list[bytes]:
        bodies = []
        async with _clients(sides) as (monolith, facade):
            for method, target, body in requests:
                control = await monolith.request(method, target, content=body)
                candidate = await facade.request(method, target, content=body)
                assert _seen(candidate) == _seen(control), (method, target, body)
                bodies.append(control.content)
        return bodies

    return asyncio.run(ask())


def _seen(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.content, sorted(answer.headers.items())


def _order(reference: object, payee: object, amount: object, **more: object) -> bytes:
    return json.dumps({"ref": reference, "to": payee, "amt": amount, **more}).encode()


def test_every_account_and_statement_reads_alike(sides: tuple[str, str]) -> None:
    targets = [f"/accounts/{account[0]}" for account in ACCOUNTS[:8]]
    targets += [
        f"/accounts/{number}" for number in ("2999999999", "abc", "20000000011", "%C2%B2000000001", "2000000001%20")
    ]
    targets += [f"/accounts/{number}/statement" for number in (ALICE, BOB, EVA, "2999999999", "x")]
    targets += [f"/accounts/{BOB}/statement?limit={limit}" for limit in ("5", "0", "20", "21", "-1", "x", "", "9" * 12)]
    bodies = _ask_both(sides, [("GET", target, None) for target in targets])
    assert bodies[0] == (
        b'{"acctNo":"2000000001","custNo":"10000001","typ":"C","ccy":"GBP","bal":1234.5,"sts":"00","rc":"00"}'
    )
    assert len(json.loads(bodies[14])["items"]) == 20


def test_customers_transfers_and_what_does_not_exist_read_alike(sides: tuple[str, str]) -> None:
    targets = [f"/customers/{number}/accounts" for number in (*CUSTOMERS, "19999999", "1", "1000000%C2%B2")]
    targets += [f"/transfers/{reference}" for reference in ("b1", "twice", "fee", "no", "%C3%BCn%C3%AFcode%2F1", "%0A")]
    targets += ["/transfers/" + "r" * 37, "/transfers/%2E%2E", "/nothing", "/", "/accounts", "/cics"]
    requests: list[Asked] = [("GET", target, None) for target in targets]
    requests += [("DELETE", f"/accounts/{ALICE}", None), ("PUT", "/cics", b""), ("HEAD", f"/accounts/{ALICE}", None)]
    bodies = _ask_both(sides, requests)
    assert len(json.loads(bodies[0])["items"]) == 20
    assert len(json.loads(bodies[7])["legs"]) == 3


def test_transfers_answer_and_leave_alike(sides: tuple[str, str]) -> None:
    bodies = [
        _order("t1", BOB, "12.34", txt="rént"),
        _order("t2", BOB, 10),
        _order("t3", BOB, 0.5),
        _order("t4", BOB, "1.50", txt=None),
        _order("..", BOB, "1"),
        _order("t 6", IDA, "0000000001.00", txt=""),
        b"not json",
        b"\xff",
        b"[]",
        _order("", BOB, "1"),
        _order("r" * 37, BOB, "1"),
        _order(7, BOB, "1"),
        _order("bad1", BOB, "0"),
        _order("bad2", BOB, "1.001"),
        _order("bad3", BOB, "-1"),
        _order("bad4", BOB, True),
        _order("bad5", BOB, "10000000000"),
        _order("bad6", BOB, "1", txt="t" * 41),
        _order("bad7", BOB, "1", txt="a\nb"),
        _order("bad8", ALICE, "1"),
        _order("bad9", None, "1"),
        _order("unknown1", "2999999999", "1"),
        _order("unknown2", "2", "1"),
        _order("unknown3", "2" * 60, "1"),
        _order("unknown4", BOB + " ", "1"),
        _order("status1", ROY, "1"),
        _order("status2", OLA, "1"),
        _order("currency", EVA, "1"),
        _order("funds", BOB, "9999999999.99"),
    ]
    requests: list[Asked] = [("POST", f"/accounts/{ALICE}/transfers", body) for body in bodies]
    requests += [
        ("POST", f"/accounts/{payer}/transfers", _order(f"p{payer}", BOB, "1"))
        for payer in (ROY, IDA, OLA, EVA, BANK, "2999999999", "x")
    ]
    requests += [("POST", f"/accounts/{BOB}/transfers", _order("range", EVA, "0.01"))]
    requests += [("POST", f"/accounts/{ALICE}/transfers", b" " * 70_000)]
    answers = [json.loads(body) for body in _ask_both(sides, requests)]
    assert {answer["rc"] for answer in answers} == {"00", "14", "20", "30", "51"}
    after: list[Asked] = [("GET", f"/accounts/{number}", None) for number in (ALICE, BOB, IDA, ROY)]
    after += [("GET", f"/accounts/{number}/statement", None) for number in (ALICE, BOB, IDA)]
    after += [("GET", f"/transfers/{reference}", None) for reference in ("t1", "%2E%2E", "t%206", "funds")]
    _ask_both(sides, after)


def test_a_balance_that_outgrows_its_field_is_refused_alike(sides: tuple[str, str]) -> None:
    rich = MANY[0]
    for url, table, key, column in (
        (sides[0], "acctmast", "acct_no", "bal_amt"),
        (sides[1], "account", "account_id", "balance"),
    ):
        with psycopg.connect(url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(f"UPDATE {table} SET {column} = 9999999999.99 WHERE {key} = %s".encode(), (rich,))
    (body,) = _ask_both(sides, [("POST", f"/accounts/{ALICE}/transfers", _order("range", rich, "0.01"))])
    assert json.loads(body) == {"rc": "96", "msg": "SYSTEM UNAVAILABLE"}


def test_blocks_answer_alike(sides: tuple[str, str]) -> None:
    def inquiry(number: str) -> bytes:
        return encode(blocks.layout("inqa-req"), {"TRAN": "INQA", "ACCT-NO": number})

    def transfer(reference: str, payer: str, payee: str, amount: str) -> bytes:
        values = {"TRAN": "XFER", "REF": reference, "FROM": payer, "TO": payee, "AMOUNT": Decimal(amount)}
        return encode(blocks.layout("xfer-req"), values)

    sent = [inquiry(number) for number in (ALICE, EVA, BANK, IDA, "2999999999", "", "x")]
    sent += [
        transfer("c1", ALICE, BOB, "100.00"),
        transfer("c2", ALICE, BOB, "999999999.99"),
        transfer("c3", ALICE, "2999999999", "1.00"),
        transfer("c4", "", BOB, "1.00"),
        transfer("c5", ROY, BOB, "1.00"),
        transfer("c6", ALICE, BOB, "-1.00"),
        transfer("", ALICE, BOB, "1.00"),
        inquiry(ALICE),
        b"",
        b"\xc9\xd5\xd8\xc1",
        sent_garbage := transfer("c7", ALICE, BOB, "1.00")[:-1] + b"\xff",
        sent_garbage + b"\x00",
        "STMT".encode("cp037"),
        b"\x00" * 5000,
    ]
    answers = _ask_both(sides, [("POST", "/cics", block) for block in sent])
    codes = {answer[4:6].decode("cp037") for answer in answers}
    assert codes == {wire.OK, wire.NOT_FOUND, wire.NOT_ALLOWED, wire.BAD_FORMAT, wire.NO_FUNDS}
