"""One table from a refusal's code to HTTP status, title and the monolith's code; RFC 9457 bodies."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from config.errors import StranglerError


@dataclass(frozen=True)
class Kind:
    """What a code means to a client. `legacy_code` is what the monolith answers in the same case, if it knows it."""

    status: int
    title: str
    legacy_code: str | None = None


KINDS = {
    "format": Kind(400, "The request is not what this resource expects.", "30"),
    "too_large": Kind(413, "The request's body is too large.", "30"),
    "account_unknown": Kind(404, "There is no such account.", "14"),
    "customer_unknown": Kind(404, "There is no such customer.", "14"),
    "transfer_unknown": Kind(404, "There is no transfer with this reference.", "14"),
    "account_not_usable": Kind(409, "An account's status does not allow it.", "20"),
    "currencies_differ": Kind(409, "The accounts do not have the same currency.", "20"),
    "funds": Kind(409, "The debtor's balance does not cover the amount.", "51"),
    "range": Kind(409, "The creditor's balance would leave the range of the books.", "96"),
    "reference_reused": Kind(422, "The reference belongs to another transfer.", "94"),
    "not_found": Kind(404, "There is no such resource."),
    "method": Kind(405, "The resource does not have this method."),
    "fenced": Kind(503, "The books are fenced: another system writes them at the moment. Nothing was written."),
    "busy": Kind(503, "The books are busy. Nothing was written; ask again."),
    "database_down": Kind(503, "The database does not answer. Ask for the transfer's reference before a retry."),
    "books": Kind(500, "The books refused the entry. Nothing was written."),
    "internal": Kind(500, "Something went wrong here."),
}


@dataclass(eq=False)
class Refused(StranglerError):
    """A request that is answered with a problem. `detail` names fields and rules, never values."""

    code: str
    detail: str = ""

    @property
    def sentence(self) -> str:
        """The title of the problem."""
        return KINDS[self.code].title

    @property
    def hint(self) -> str:
        """The detail."""
        return self.detail


def problem(code: str, detail: str = "") -> Response:
    """The answer for a code, as application/problem+json (RFC 9457) with the extensions `code` and `legacyCode`."""
    kind = KINDS[code]
    body: dict[str, object] = {"type": f"urn:problem:{code}", "title": kind.title, "status": kind.status}
    if detail:
        body["detail"] = detail
    body["code"] = code
    if kind.legacy_code:
        body["legacyCode"] = kind.legacy_code
    return Response(msgspec.json.encode(body), kind.status, media_type="application/problem+json")
