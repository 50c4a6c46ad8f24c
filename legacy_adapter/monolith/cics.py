"""E02, fixed-width EBCDIC blocks: account inquiry and transfer behind one URL, told apart by their first four bytes."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from legacy_adapter import blocks, wire
from legacy_adapter.connections import Connections
from legacy_adapter.monolith.accounts import find_account
from legacy_adapter.monolith.answers import TROUBLE, OutcomeUnknown, connections_of, return_code
from legacy_adapter.monolith.postings import post_transfer
from legacy_adapter.serving import BodyTooLarge, read_body

_BLOCK_BYTES_MAX = 4096


async def run_transaction(request: Request) -> Response:
    """POST /cics."""
    connections = connections_of(request)
    try:
        block = blocks.read_block(await read_body(request, _BLOCK_BYTES_MAX))
    except BodyTooLarge:
        block = blocks.Unreadable("")
    if isinstance(block, blocks.Inquiry):
        reply = await _inquire(connections, block)
    elif isinstance(block, wire.TransferOrder):
        reply = await _transfer(connections, block)
    else:
        reply = blocks.unreadable_reply(block)
    return Response(reply, media_type="application/octet-stream")


async def _inquire(connections: Connections, inquiry: blocks.Inquiry) -> bytes:
    try:
        account = await find_account(connections, inquiry.account)
    except TROUBLE as problem:
        return blocks.inquiry_reply(return_code(problem), inquiry.account)
    return blocks.inquiry_reply(wire.NOT_FOUND if account is None else wire.OK, inquiry.account, account)


async def _transfer(connections: Connections, order: wire.TransferOrder) -> bytes:
    try:
        outcome = await post_transfer(connections, order)
    except (*TROUBLE, OutcomeUnknown) as problem:
        return blocks.transfer_reply(return_code(problem), order.reference)
    if isinstance(outcome, wire.Refused):
        return blocks.transfer_reply(outcome.rc, outcome.reference)
    return blocks.transfer_reply(wire.OK, outcome.reference, outcome.balance)


ROUTES = [Route("/cics", run_transaction, methods=["POST"])]
