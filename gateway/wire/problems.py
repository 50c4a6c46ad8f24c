"""One table from error to HTTP status, and the RFC 9457 body with an error id that is also in the log."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

import structlog

log = structlog.get_logger()

UNKNOWN: Final = "unknown"
NOT_SENT: Final = "not sent"
INCOMPLETE: Final = "incomplete"  # the client broke off, so the upstream never had the whole request
# Of a request that was not sent because another one under its key was.
OUTCOMES: Final = {
    "idempotency_in_progress": "in progress",
    "idempotency_answer_gone": "done",
    "idempotency_unknown": UNKNOWN,
}
BY_CLIENT: Final = frozenset({"malformed", "client_too_slow", "body_too_large"})


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why the gateway itself answers: its status and what the client is told."""

    reason: str
    status: int
    phrase: str
    detail: str


PROBLEMS: Final[dict[str, Problem]] = {
    problem.reason: problem
    for problem in (
        Problem("malformed", 400, "Bad Request", "The request is not well-formed HTTP/1.1."),
        Problem("no_route", 404, "Not Found", "No route matches, and there is no default upstream."),
        Problem("client_too_slow", 408, "Request Timeout", "The request did not arrive in time."),
        Problem("body_too_large", 413, "Content Too Large", "The body is larger than the gateway accepts."),
        Problem("target_too_long", 414, "URI Too Long", "The request target is longer than the gateway accepts."),
        Problem("headers_too_large", 431, "Request Header Fields Too Large", "The header section is too large."),
        Problem("method_refused", 501, "Not Implemented", "The gateway does not forward this method."),
        Problem("version_refused", 505, "HTTP Version Not Supported", "The gateway speaks HTTP/1.0 and HTTP/1.1."),
        Problem("loop", 508, "Loop Detected", "The request came from this gateway."),
        Problem("upstream_unreachable", 502, "Bad Gateway", "The upstream accepts no connection."),
        Problem("upstream_closed", 502, "Bad Gateway", "The upstream closed the connection before it answered."),
        Problem("upstream_invalid", 502, "Bad Gateway", "The upstream's answer is not well-formed HTTP."),
        Problem("upstream_tls_expired", 502, "Bad Gateway", "The upstream's certificate is not valid at this time."),
        Problem("upstream_tls_name", 502, "Bad Gateway", "The upstream's certificate is for another name."),
        Problem(
            "upstream_tls_untrusted",
            502,
            "Bad Gateway",
            "The upstream's certificate is signed by nobody that is trusted.",
        ),
        Problem("upstream_tls", 502, "Bad Gateway", "No TLS session with the upstream could be agreed on."),
        Problem("upstream_connect_timeout", 504, "Gateway Timeout", "The upstream accepted no connection in time."),
        Problem("upstream_timeout", 504, "Gateway Timeout", "The upstream did not answer in time."),
        Problem("upstream_stalled", 504, "Gateway Timeout", "The upstream stopped in the middle of its answer."),
        Problem("total_timeout", 504, "Gateway Timeout", "The exchange took longer than one may take in all."),
        Problem("upstream_busy", 503, "Service Unavailable", "Every connection to the upstream is in use."),
        Problem("breaker_open", 503, "Service Unavailable", "The upstream failed repeatedly and is left alone."),
        Problem(
            "idempotency_key_invalid",
            400,
            "Bad Request",
            "Idempotency-Key must be one key of 1 to 255 visible characters.",
        ),
        Problem("idempotency_in_progress", 409, "Conflict", "The first request under this Idempotency-Key still runs."),
        Problem(
            "idempotency_answer_gone",
            409,
            "Conflict",
            "The request under this Idempotency-Key was answered, and the answer was not kept: ask for the result.",
        ),
        Problem(
            "idempotency_key_reused", 422, "Unprocessable Content", "This Idempotency-Key belongs to another request."
        ),
        Problem(
            "idempotency_unknown",
            502,
            "Bad Gateway",
            "Nobody knows what became of the first request under this Idempotency-Key: ask before a new attempt.",
        ),
        Problem(
            "idempotency_unavailable",
            503,
            "Service Unavailable",
            "Idempotency-Keys cannot be checked now; nothing was sent.",
        ),
        Problem("upstream_unhealthy", 503, "Service Unavailable", "The upstream's health check fails."),
        Problem("hold_full", 503, "Service Unavailable", "Writes are held, and the gateway holds no more."),
        Problem(
            "home_unknown",
            503,
            "Service Unavailable",
            "Where this is written was about to change, and the gateway has not heard how it ended; nothing was sent.",
        ),
        Problem("draining", 503, "Service Unavailable", "The gateway is shutting down."),
        Problem("last_hop", 200, "OK", "Max-Forwards is 0: the request ends at this gateway."),
        Problem("internal", 500, "Internal Server Error", "The gateway failed on this request."),
    )
}


def render(problem: Problem, *, outcome: str | None = None, keep_alive: bool = False, head_only: bool = False) -> bytes:
    """The whole answer as bytes, logged under its error id.

    `outcome` says of a write what became of it: a write that may have reached the upstream is 502 whatever the reason,
    because the client must ask before it tries again.
    """
    status, phrase = (502, "Bad Gateway") if outcome == UNKNOWN else (problem.status, problem.phrase)
    error_id = secrets.token_hex(8)
    document: dict[str, object] = {
        "type": f"urn:strangler:problem:{problem.reason}",
        "title": phrase,
        "status": status,
        "detail": problem.detail,
        "error_id": error_id,
    }
    if outcome is not None:
        document["outcome"] = outcome
    body = json.dumps(document).encode()
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        f"Date: {formatdate(usegmt=True)}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
    ]
    if status in (409, 503):
        lines.append("Retry-After: 1")
    if not keep_alive:
        lines.append("Connection: close")
    log.warning("exchange.problem", reason=problem.reason, status=status, outcome=outcome, error_id=error_id)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head_only else body)
