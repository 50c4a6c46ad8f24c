"""The monolith's fixed-width wire (POST /cics): requests read and replies written by the copybooks."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from legacy_adapter import wire
from legacy_adapter.codec import Layout, decode, encode, parse_copybook
from legacy_adapter.codec.record import CODEPAGE

COPYBOOKS = Path(__file__).with_name("copybooks")
_CODE_BYTES = 4


@dataclass(frozen=True)
class Inquiry:
    """INQA: the account that is asked for."""

    account: str


@dataclass(frozen=True)
class Account:
    """What INQA replies of an account."""

    number: str
    customer: str
    kind: str
    currency: str
    balance: Decimal
    status: str


@dataclass(frozen=True)
class Unreadable:
    """A block that is no request: the transaction code that it began with, as far as there was one."""

    transaction: str
    reference: str = ""


@lru_cache(maxsize=16)
def layout(name: str) -> Layout:
    """The layout of `inqa-req`, `inqa-reply`, `xfer-req` or `xfer-reply`."""
    return parse_copybook((COPYBOOKS / f"{name}.cpy").read_text("utf-8"))


def read_block(data: bytes) -> Inquiry | wire.TransferOrder | Unreadable:
    """The request in `data`, in EBCDIC (cp037), by the transaction code in its first four bytes."""
    code = data[:_CODE_BYTES].decode(CODEPAGE)
    if code == "INQA":
        record = decode(layout("inqa-req"), data)
        return Unreadable(code) if record.findings else Inquiry(str(record.values["ACCT-NO"]))
    if code != "XFER":
        return Unreadable(code)
    record = decode(layout("xfer-req"), data)
    if record.findings:
        return Unreadable(code)
    values = record.values
    order = wire.order_of(str(values["FROM"]), values["REF"], values["TO"], values["AMOUNT"])
    return order if isinstance(order, wire.TransferOrder) else Unreadable(code, order.reference)


def inquiry_reply(rc: str, number: str, account: Account | None = None) -> bytes:
    """INQA-REPLY; without an account its texts are spaces and its balance is X'00'."""
    values: dict[str, object] = {"TRAN": "INQA", "RC": rc, "ACCT-NO": number[:10], "BALANCE": None}
    values |= dict.fromkeys(("CUST-NO", "ACCT-TYP", "CCY", "STATUS"), "")
    if account is not None:
        values |= {
            "CUST-NO": account.customer,
            "ACCT-TYP": account.kind,
            "CCY": account.currency,
            "BALANCE": account.balance,
            "STATUS": account.status,
        }
    return encode(layout("inqa-reply"), values)


def transfer_reply(rc: str, reference: str, balance: Decimal | None = None) -> bytes:
    """XFER-REPLY; the balance is the payer's, X'00' unless the transfer was posted."""
    return encode(layout("xfer-reply"), {"TRAN": "XFER", "RC": rc, "REF": reference, "BALANCE": balance})


def unreadable_reply(request: Unreadable) -> bytes:
    """The reply to a block that is no request: return code 30, in the layout of its transaction if it has one."""
    if request.transaction == "INQA":
        return inquiry_reply(wire.BAD_FORMAT, "")
    if request.transaction == "XFER":
        return transfer_reply(wire.BAD_FORMAT, request.reference)
    return f"{request.transaction:4}{wire.BAD_FORMAT}".encode(CODEPAGE)
