"""The bearer token of the admin API: required wherever other machines could reach it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from config.errors import USAGE, StranglerError
from gateway.listening import Address

TOKEN_VARIABLE = "STRANGLER_ADMIN_TOKEN"  # noqa: S105 - the name of a variable, not a token
READ_TOKEN_VARIABLE = "STRANGLER_READ_TOKEN"  # noqa: S105 - for whoever scrapes and looks, and must not hold writes


@dataclass(eq=False)
class AdminTokenMissing(StranglerError):
    """The admin API would be reachable from other machines without a token."""

    address: str
    exit_code = USAGE

    @property
    def sentence(self) -> str:
        """The address that is not loopback."""
        return f"The admin API on {self.address} can be reached from other machines, and no token protects it."

    @property
    def hint(self) -> str:
        """Set the token, or stay on loopback."""
        return f"Set {TOKEN_VARIABLE}, or let gateway.admin be a loopback address such as 127.0.0.1:8081."


def required_token(address: Address, environ: Mapping[str, str] = os.environ) -> str | None:
    """The token that callers must show; None on loopback. Raises AdminTokenMissing."""
    if address.is_loopback:
        return None
    token = environ.get(TOKEN_VARIABLE)
    if not token:
        raise AdminTokenMissing(str(address))
    return token
