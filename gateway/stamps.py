"""Read-your-writes across gateways: the answer to a write carries a time that the client shows when it reads.

The time is the source database's own, so no clocks of gateways are compared: a gateway knows it to within the time of
one query (supervision/freshness_watch.py), rounded up for a write and down for what has arrived. It stands in a cookie
that says nothing else; a client that changes it harms only its own reads. What cannot be read sends the read to legacy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.routing.conditions import cookie_value

if TYPE_CHECKING:
    from gateway.carriage import Carriage
    from gateway.freshness import ReadYourWrites
    from gateway.routing.table import Plan

NEVER: Final = (1 << 64) - 1  # the source's time is not known: legacy answers until the cookie ends
DIGITS: Final = 16
SECONDS_MAX: Final = 86_400
NEVER_SECONDS_MAX: Final = 3_600


def set_cookie(name: bytes, stamp: int, scheme: bytes) -> bytes:
    """The line of the answer's head, with its CRLF."""
    seconds = NEVER_SECONDS_MAX if stamp == NEVER else SECONDS_MAX
    secure = b"; Secure" if scheme == b"https" else b""
    return b"Set-Cookie: %b=%016x; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%b\r\n" % (name, stamp, seconds, secure)


def stamp_in(value: bytes) -> int:
    """The time in a cookie; one that is not ours is later than anything that has arrived."""
    try:
        return int(value, 16) if len(value) == DIGITS and value.isalnum() else NEVER
    except ValueError:
        return NEVER


def has_seen(exchange: Carriage, plan: Plan, freshness: ReadYourWrites) -> bool:
    """Whether modern has everything that this client was told it wrote, at whichever gateway."""
    if plan.cookie is None:
        return True
    shown = cookie_value(exchange, plan.cookie)
    return shown is None or stamp_in(shown) <= freshness.arrived_until(plan.capability_index)
