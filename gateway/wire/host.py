"""Pure: what a Host value may look like (RFC 9112 section 3.2)."""

from __future__ import annotations

import re
from typing import Final

_HOST: Final = re.compile(
    rb"(?:(?!.*\.\.)(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?"
).fullmatch
_PORT_MAX: Final = 65535
_HOSTS_MAX: Final = 1024
_good_hosts: set[bytes] = set()


def is_good_host(value: bytes) -> bool:
    """Whether a Host value is a host with an optional port; values that passed are remembered, bounded."""
    if value in _good_hosts:
        return True
    found = _HOST(value)
    if found is None or int(found[1] or 0) > _PORT_MAX:
        return False
    if len(_good_hosts) >= _HOSTS_MAX:
        _good_hosts.clear()
    _good_hosts.add(value)
    return True
