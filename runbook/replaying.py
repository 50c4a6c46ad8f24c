"""Where a recorded request may be sent: to both sides, to one beside the recorded answer, or nowhere, with the reason.

A read goes to legacy and modern. A write never goes to legacy: it was booked there when it was recorded. It goes to
modern only as its route allows (`dry_run`, `sandbox`), and what is compared is the answer that was recorded. So nothing
is ever sent to a side with a write that has no policy. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.model import Routes, Sandbox
from gateway.routing.conditions import PEEK_BYTES_MAX
from gateway.routing.explain import read_request
from gateway.routing.table import Plan, Table
from gateway.wire.request import Request
from shadow.observation import Headers
from shadow.recording import Recorded

OUTSIDE = ""
"""The capability of what belongs to none."""
_OWN = frozenset({
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
    "expect", "x-shadow", "accept-encoding", "idempotency-key",
})  # fmt: skip
"""Fields of the old connection, or that would let an answer come from a store; they are written anew or left out."""


@dataclass(frozen=True)
class Nowhere:
    """The request is not sent."""

    route: str
    capability: str
    reason: str


@dataclass(frozen=True)
class Course:
    """Where it goes: `control` is None where the recorded answer is the control."""

    plan: Plan
    capability: str
    control: str | None
    candidate: str
    shadow: str
    is_read: bool


def course_of(recorded: Recorded, table: Table) -> Course | Nowhere:
    """Where a request goes under this table."""
    request, refused = read_request(recorded.method, recorded.target, recorded.headers)
    if refused is not None:
        return Nowhere(OUTSIDE, OUTSIDE, refused)
    request.peeked, request.has_all = recorded.body[:PEEK_BYTES_MAX], len(recorded.body) <= PEEK_BYTES_MAX
    found = table.find(request, request.segments)
    if not isinstance(found, Plan) or found.capability is None:
        return Nowhere(OUTSIDE, OUTSIDE, "no_capability")
    return _course(found, found.capability, request, recorded, table.routes)


def _course(plan: Plan, name: str, request: Request, recorded: Recorded, routes: Routes) -> Course | Nowhere:
    capability = routes.capabilities[name]
    if not plan.is_write(request.method):
        if capability.stage != "retired":
            return Course(plan, name, capability.legacy, capability.modern, "mirror", is_read=True)
        if recorded.answer is None:
            return Nowhere(plan.name, name, "legacy_is_retired")
        return Course(plan, name, None, capability.modern, "mirror", is_read=True)
    candidate, shadow = (plan.shadow.sandbox, "mirror") if isinstance(plan.shadow, Sandbox) else (capability.modern, "")
    if plan.shadow == "dry_run":
        shadow = "dry-run"
    if not shadow:
        return Nowhere(plan.name, name, "write_never" if plan.shadow == "never" else "write_is_read_back")
    if recorded.answer is None:
        return Nowhere(plan.name, name, "write_without_recorded_answer")
    return Course(plan, name, None, candidate, shadow, is_read=False)


def fields_of(recorded: Recorded, shadow: str | None) -> Headers:
    """The fields that are sent; `shadow` marks the copy for modern."""
    kept = tuple(line for line in recorded.headers if line[0].lower() not in _OWN)
    return (*kept, ("accept-encoding", "identity"), *((("x-shadow", shadow),) if shadow else ()))
