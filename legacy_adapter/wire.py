"""The monolith's JSON wire: return codes, messages, numbers and the reading of a transfer order.

Whoever speaks it answers 200 always; what happened is in `rc`. Money is a JSON number whose trailing zeros are lost.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

OK = "00"
NOT_FOUND = "14"
NOT_ALLOWED = "20"  # status of either account, or two currencies
BAD_FORMAT = "30"
NO_FUNDS = "51"
UNAVAILABLE = "96"  # nothing was written
OUTCOME_UNKNOWN = "97"  # the database was lost while it committed: ask GET /transfers/{ref}

MESSAGES = {
    NOT_FOUND: "ACCOUNT NOT FOUND",
    NOT_ALLOWED: "ACCOUNT NOT AVAILABLE",
    BAD_FORMAT: "FORMAT ERROR",
    NO_FUNDS: "INSUFFICIENT FUNDS",
    UNAVAILABLE: "SYSTEM UNAVAILABLE",
    OUTCOME_UNKNOWN: "OUTCOME UNKNOWN",
}
CUSTOMER_NOT_FOUND = "CUSTOMER NOT FOUND"
TRANSFER_NOT_FOUND = "TRANSFER NOT FOUND"

SERVER = "CORE87"
ITEMS_MAX = 20
BODY_BYTES_MAX = 64 * 1024

_AMOUNT = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?")
_REFERENCE_CHARACTERS, _TEXT_CHARACTERS = 36, 40
_decoder = msgspec.json.Decoder(dict[str, object], float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class TransferOrder:
    """A transfer that a client asks for; its form is right, whether it can be done is for the books to say."""

    reference: str
    payer: str
    payee: str
    amount: Decimal
    text: str | None


@dataclass(frozen=True)
class Refused:
    """An order whose form is wrong; `reference` is empty where it could not be read."""

    rc: str
    reference: str


def read_order(payer: str, body: bytes) -> TransferOrder | Refused:
    """The order in the body of POST /accounts/{payer}/transfers."""
    try:
        fields = _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return Refused(BAD_FORMAT, "")
    text = fields.get("txt")
    return order_of(payer, fields.get("ref"), fields.get("to"), fields.get("amt"), text)


def order_of(
    payer: str, reference: object, payee: object, amount: object, text: object = None
) -> TransferOrder | Refused:
    """The order of these fields; an amount is text or an exact number above zero with at most two decimal places."""
    if not (isinstance(reference, str) and is_reference(reference)):
        return Refused(BAD_FORMAT, "")
    exact = _amount(amount)
    is_payee = isinstance(payee, str) and payee.isprintable() and payee not in ("", payer)
    is_text = text is None or (isinstance(text, str) and len(text) <= _TEXT_CHARACTERS and text.isprintable())
    if exact is None or not is_payee or not is_text:
        return Refused(BAD_FORMAT, reference)
    return TransferOrder(reference, payer, str(payee), exact, None if text is None else str(text))


def is_reference(text: str) -> bool:
    """Whether a client may use `text` as the reference of a transfer."""
    return 0 < len(text) <= _REFERENCE_CHARACTERS and text.isprintable()


def _amount(amount: object) -> Decimal | None:
    if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
        return None
    text = str(amount)
    return Decimal(text) if _AMOUNT.fullmatch(text) and Decimal(text) > 0 else None


def number(value: Decimal) -> Decimal | int:
    """Money as this wire writes it: exact, without trailing zeros."""
    return int(value) if value == value.to_integral_value() else value.normalize()


def refusal(rc: str, reference: str) -> dict[str, object]:
    """The answer to a transfer that was not posted."""
    return {"rc": rc, "ref": reference, "msg": MESSAGES[rc]}


def not_found(message: str = MESSAGES[NOT_FOUND]) -> dict[str, object]:
    """The answer where there is no such thing."""
    return {"rc": NOT_FOUND, "msg": message}


def unavailable() -> dict[str, object]:
    """The answer where the database refuses or is away; nothing was written."""
    return {"rc": UNAVAILABLE, "msg": MESSAGES[UNAVAILABLE]}


def statement_limit(text: str | None) -> int:
    """How many items a statement shows: what was asked for, between 1 and ITEMS_MAX."""
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 9:
        return ITEMS_MAX
    return min(int(text), ITEMS_MAX) or ITEMS_MAX


def to_json(answer: Mapping[str, object]) -> bytes:
    """Compact JSON in the order of the mapping."""
    return _encoder.encode(answer)
