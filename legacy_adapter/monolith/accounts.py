"""E04, JSON over accounts: one account, its statement, a customer's accounts, transfers."""

import re
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from legacy_adapter import blocks, wire
from legacy_adapter.connections import Connections
from legacy_adapter.monolith.answers import connections_of, json_answer
from legacy_adapter.monolith.postings import post_transfer
from legacy_adapter.serving import BodyTooLarge, read_body

_ACCOUNT_NUMBER, _CUSTOMER_NUMBER = re.compile(r"[0-9]{10}"), re.compile(r"[0-9]{8}")

_ACCOUNT = "SELECT acct_no, cust_no, acct_typ, ccy, bal_amt, acct_sts FROM acctmast WHERE acct_no = %s"
_STATEMENT = """
SELECT trn_dt, trn_seq, trn_ref, trn_cd, drcr, amt, bal_aft, cpty_acct FROM trnhist
WHERE acct_no = %s ORDER BY trn_dt DESC, trn_seq DESC LIMIT %s
"""
_OF_CUSTOMER = """
SELECT acct_no, acct_typ, ccy, bal_amt, acct_sts FROM acctmast WHERE cust_no = %s ORDER BY acct_no LIMIT %s
"""
_TRANSFER = "SELECT acct_no, drcr, amt FROM trnhist WHERE trn_ref = %s ORDER BY acct_no, drcr, trn_dt, trn_seq"


async def find_account(connections: Connections, number: str) -> blocks.Account | None:
    """The account of this number, or None."""
    if not _ACCOUNT_NUMBER.fullmatch(number):
        return None
    async with connections.take() as conn:
        row = await (await conn.execute(_ACCOUNT, (number,))).fetchone()
    return blocks.Account(*row) if row else None


async def show_account(request: Request) -> Response:
    """GET /accounts/{no}."""
    account = await find_account(connections_of(request), request.path_params["no"])
    if account is None:
        return json_answer(wire.not_found())
    return json_answer(
        {
            "acctNo": account.number,
            "custNo": account.customer,
            "typ": account.kind,
            "ccy": account.currency,
            "bal": wire.number(account.balance),
            "sts": account.status,
            "rc": wire.OK,
        }
    )


async def show_statement(request: Request) -> Response:
    """GET /accounts/{no}/statement: newest first, cut without notice."""
    number = request.path_params["no"]
    limit = wire.statement_limit(request.query_params.get("limit"))
    if not _ACCOUNT_NUMBER.fullmatch(number):
        return json_answer(wire.not_found())
    async with connections_of(request).take() as conn:
        if await (await conn.execute(_ACCOUNT, (number,))).fetchone() is None:
            return json_answer(wire.not_found())
        rows = await (await conn.execute(_STATEMENT, (number, limit))).fetchall()
    items = [
        {
            "dt": date,
            "seq": int(sequence),
            "ref": reference,
            "cd": code.rstrip(),
            "drcr": flag,
            "amt": wire.number(amount),
            "balAft": wire.number(after),
            "cpty": counterparty,
        }
        for date, sequence, reference, code, flag, amount, after, counterparty in rows
    ]
    return json_answer({"acctNo": number, "rc": wire.OK, "items": items})


async def show_customer_accounts(request: Request) -> Response:
    """GET /customers/{no}/accounts: cut without notice at ITEMS_MAX."""
    number = request.path_params["no"]
    if not _CUSTOMER_NUMBER.fullmatch(number):
        return json_answer(wire.not_found(wire.CUSTOMER_NOT_FOUND))
    async with connections_of(request).take() as conn:
        known = await (await conn.execute("SELECT 1 FROM custmast WHERE cust_no = %s", (number,))).fetchone()
        rows = await (await conn.execute(_OF_CUSTOMER, (number, wire.ITEMS_MAX))).fetchall()
    if known is None:
        return json_answer(wire.not_found(wire.CUSTOMER_NOT_FOUND))
    items = [
        {"acctNo": account, "typ": kind, "ccy": currency, "bal": wire.number(balance), "sts": status}
        for account, kind, currency, balance, status in rows
    ]
    return json_answer({"custNo": number, "rc": wire.OK, "items": items})


async def post(request: Request) -> Response:
    """POST /accounts/{no}/transfers."""
    try:
        body = await read_body(request, wire.BODY_BYTES_MAX)
    except BodyTooLarge:
        return json_answer(wire.refusal(wire.BAD_FORMAT, ""))
    order = wire.read_order(request.path_params["no"], body)
    if isinstance(order, wire.TransferOrder) and not _ACCOUNT_NUMBER.fullmatch(order.payer):
        order = wire.Refused(wire.NOT_FOUND, order.reference)
    outcome = order if isinstance(order, wire.Refused) else await post_transfer(connections_of(request), order)
    if isinstance(outcome, wire.Refused):
        return json_answer(wire.refusal(outcome.rc, outcome.reference))
    return json_answer({"rc": wire.OK, "ref": outcome.reference, "bal": wire.number(outcome.balance)})


async def show_transfer(request: Request) -> Response:
    """GET /transfers/{ref}: every leg under this reference."""
    reference = request.path_params["ref"]
    if not wire.is_reference(reference):
        return json_answer(wire.not_found(wire.TRANSFER_NOT_FOUND))
    async with connections_of(request).take() as conn:
        rows: list[tuple[str, str, Decimal]] = await (await conn.execute(_TRANSFER, (reference,))).fetchall()
    if not rows:
        return json_answer(wire.not_found(wire.TRANSFER_NOT_FOUND))
    legs = [{"acctNo": account, "drcr": flag, "amt": wire.number(amount)} for account, flag, amount in rows]
    return json_answer({"rc": wire.OK, "ref": reference, "legs": legs})


ROUTES = [
    Route("/accounts/{no}", show_account),
    Route("/accounts/{no}/statement", show_statement),
    Route("/accounts/{no}/transfers", post, methods=["POST"]),
    Route("/customers/{no}/accounts", show_customer_accounts),
    Route("/transfers/{ref}", show_transfer),
]
