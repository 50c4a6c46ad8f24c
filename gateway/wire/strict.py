"""Pure: what makes a request unacceptable beyond what llhttp refuses in its strict mode.

llhttp itself refuses bare CR and LF in the head, obs-fold, white space before a colon, control characters, conflicting
or repeated Content-Length, Content-Length with Transfer-Encoding, bad chunk sizes and data after `Connection: close`.
What it lets pass is refused here: two spaces in the request line, HTTP/0.9 and 2.0, a missing, repeated or odd Host,
codings other than `chunked`, Transfer-Encoding in HTTP/1.0, targets of unusual form, leading zeros in a length.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from gateway.limits import Limits
from gateway.wire import headers
from gateway.wire.headers import Facts
from gateway.wire.host import is_good_host

START: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ \r\n\t]+) HTTP/1\.([01])\r\n").match
# What START and llhttp take whatever stands around it, and what is routed as it is spelt: segments that nothing has to
# decode or normalise, and a query of visible ASCII.
SIMPLE_TARGET: Final = re.compile(rb"(?:/[\w!$&'()*+,:=@~-][\w!$&'()*+,:=@~.-]*)+/?(?:\?[!-\"$-~]*)?").fullmatch
BARE_LF: Final = re.compile(rb"(?:\A|[^\r])\n").search
_OTHER_VERSION: Final = re.compile(rb"[A-Z]+ [^ \r\n\t]+ HTTP/[02-9]\.[0-9]\r\n").match
_ABSOLUTE: Final = re.compile(rb"(?i)https?://([^/?#]+)([/?].*)?").fullmatch

without_upgrade: Final = partial(re.compile(rb"\r\n[Uu][Pp][Gg][Rr][Aa][Dd][Ee]:[^\r]*").sub, b"")

REFUSED_METHODS: Final = frozenset({b"CONNECT", b"TRACE", b"PRI"})


def unfinished_problem(data: bytes, new: int, limits: Limits) -> str | None:
    """Why a head is refused before its end has come, or cannot be begun; None to wait for more of it.

    Only what follows position `new` is looked at, so that the time for a head in many pieces stays linear.
    """
    line_end = data.find(b"\r\n", new)
    if line_end >= 0 and data.find(b"\r\n", 0, line_end) < 0 and START(data) is None:  # the first line has ended
        if line_end > limits.url_bytes_max:
            return "target_too_long"
        return "version_refused" if _OTHER_VERSION(data) else "malformed"
    if BARE_LF(data, new) or (data[:1] == b"\r" and data != b"\r"):
        return "malformed"
    if line_end < 0 and len(data) > limits.url_bytes_max and b"\r\n" not in data:
        return "target_too_long"
    return "headers_too_large" if len(data) > limits.header_bytes_max else None


def refusal(method: bytes, version: bytes, facts: Facts, *, twice: bool) -> str | None:
    """The reason to refuse a request by its noted fields, or None."""
    host = facts.get(headers.HOST)
    if twice or (host is None and version == b"1") or (host is not None and not is_good_host(host)):
        return "malformed"
    if method in REFUSED_METHODS:
        return "method_refused"
    coding = facts.get(headers.TRANSFER_ENCODING)
    if coding is not None and (version == b"0" or coding.strip(b" \t").lower() != b"chunked"):
        return "malformed"
    length = facts.get(headers.CONTENT_LENGTH)
    if length is not None and length[:1] == b"0" and length.strip(b" \t") != b"0":
        return "malformed"
    via = facts.get(headers.VIA)
    if via is not None and headers.has_passed_here(via):
        return "loop"
    return None


def origin_form(method: bytes, target: bytes, host: bytes | None) -> tuple[bytes, bytes | None] | None:
    """A target of another form than `/path` as (origin form, host to send); None where it is refused.

    The absolute form must name the host that Host names (RFC 9112 section 3.2.2, stricter by policy).
    """
    if target == b"*":
        return (target, host) if method == b"OPTIONS" else None
    found = _ABSOLUTE(target)
    if found is None or b"@" in found[1] or not is_good_host(found[1]):
        return None
    if host is not None and host.lower() != found[1].lower():
        return None
    path = found[2] or (b"*" if method == b"OPTIONS" else b"/")
    return (b"/" + path if path[:1] == b"?" else path), found[1]
