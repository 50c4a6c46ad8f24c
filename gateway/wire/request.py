"""Pure: one request as it was parsed, checked, and as it will be written to the upstream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from gateway.limits import Limits
from gateway.wire import headers, strict
from gateway.wire.headers import TRUSTED, UNTRUSTED, Facts, Fields, tail_of_request, with_tail
from gateway.wire.identity import Networks, Peer, client_of
from gateway.wire.seen_heads import SeenRequest
from gateway.wire.segments import segments_of
from gateway.wire.websocket import is_websocket

UNAUTHORIZED: Final = 401
_BINDING: Final = re.compile(rb"(?i)(?:.*,)?[ \t]*(?:ntlm|negotiate)(?:[ \t,]|\Z)").match


class Request:
    """What routing, keys and conditions look at (`conditions.Asked`). `check` comes first."""

    __slots__ = ("body_left", "facts", "fields", "has_all", "is_chunked", "is_websocket", "keep_alive", "lines",
                 "method", "peeked", "peer", "segments", "tail", "target", "trusted", "version")  # fmt: skip

    def __init__(self, peer: Peer, start: tuple[bytes, bytes, bytes], fields: Fields, trusted: Networks = ()) -> None:
        self.method, self.target, self.version = start
        self.fields = fields
        self.peer = peer
        self.trusted = trusted
        self.facts: Facts
        self.lines: list[bytes]
        self.segments: Sequence[bytes]
        self.peeked = self.tail = b""
        self.has_all = False
        self.body_left: int | None = 0
        self.is_chunked = self.is_websocket = False
        self.keep_alive = True

    @property
    def client(self) -> bytes:
        """The client's address, as far as the proxies on the way are trusted."""
        chain, forwarded = self.facts.get(headers.FORWARDED_FOR), self.facts.get(headers.FORWARDED)
        return client_of(self.peer, chain, forwarded, self.trusted)

    def check(self, limits: Limits) -> str | None:
        """Read the fields once; the reason to refuse the request, or None."""
        target = self.target
        self.lines = lines = [b""]
        facts, twice = headers.read(self.fields, TRUSTED if self.peer.is_trusted else UNTRUSTED, lines)
        self.facts = facts
        reason = strict.refusal(self.method, self.version, facts, twice=twice)
        if reason is None and target[0] != 47:
            reason = self._to_origin_form()
        if reason is not None:
            return reason
        if len(target) > limits.url_bytes_max:
            return "target_too_long"
        if len(self.fields) > limits.header_count_max:
            return "headers_too_large"
        segments = segments_of(self.target)
        if segments is None or b"#" in target:
            return "malformed"
        self.segments = segments
        return self._read_options(limits) if len(facts) > 1 or self.version == b"0" else None

    def recall(self, seen: SeenRequest, limits: Limits) -> str | None:
        """`check`, where all but the target came before and passed, and the target is simple (`strict`)."""
        self.facts = seen.facts
        self.lines = seen.lines
        self.tail = seen.tail
        target = self.target
        if len(target) > limits.url_bytes_max:
            return "target_too_long"
        if len(target) + len(seen.suffix) > limits.header_bytes_max:
            return "headers_too_large"
        self.segments = target.partition(b"?")[0][1:].split(b"/")
        return None

    def _read_options(self, limits: Limits) -> str | None:
        """What only some requests have: a body, a Connection line, an upgrade."""
        facts = self.facts
        length = facts.get(headers.CONTENT_LENGTH)
        if length is not None:
            self.body_left = int(length)
            if self.body_left > limits.body_bytes_max:
                return "body_too_large"
            if not length.isdigit():
                headers.replace(self.lines, b"content-length", b"%d" % self.body_left)
        elif headers.TRANSFER_ENCODING in facts:
            self.body_left = None
            self.is_chunked = True
            if facts[headers.TRANSFER_ENCODING] != b"chunked":  # in capitals
                headers.replace(self.lines, b"transfer-encoding", b"chunked")
        options = headers.connection_options(facts.get(headers.CONNECTION, b""))
        self.keep_alive = b"close" not in options if self.version == b"1" else b"keep-alive" in options
        if headers.UPGRADE in facts and is_websocket(self.method, self.version, self.fields, facts):
            self.is_websocket = True
            self.lines += [b"Connection: Upgrade", b"Upgrade: websocket"]
        return self._count_down() if headers.MAX_FORWARDS in facts and self.method == b"OPTIONS" else None

    def binds_connection(self, status: int, fields: Fields) -> bool:
        """Whether the upstream may take the connection for this client's own: it must serve nobody else then.

        After an upgrade, and where NTLM or Negotiate authenticate the connection instead of the request.
        """
        if self.is_websocket or _BINDING(self.facts.get(headers.AUTHORIZATION, b"")):
            return True
        return status == UNAUTHORIZED and any(
            name.lower() == b"www-authenticate" and _BINDING(value) for name, value in fields
        )

    def _count_down(self) -> str | None:
        """RFC 9110 section 7.6.2: OPTIONS with Max-Forwards 0 ends here, else one less goes on."""
        value = self.facts[headers.MAX_FORWARDS].strip(b" \t")
        if not value.isdigit() or len(value) > len("4294967296"):
            return "malformed"
        if int(value) == 0:
            return "last_hop"
        headers.replace(self.lines, b"max-forwards", b"%d" % (int(value) - 1))
        return None

    def _to_origin_form(self) -> str | None:
        found = strict.origin_form(self.method, self.target, self.facts.get(headers.HOST))
        if found is None:
            return "malformed"
        self.target, host = found
        if host is not None and headers.HOST not in self.facts:
            self.lines.append(b"Host: " + host)
            self.facts[headers.HOST] = host
        return None

    def to_upstream(self, authority: bytes) -> bytes:
        """The head that goes upstream; HTTP/1.1 needs a Host there, and HTTP/1.0 had none to give."""
        if not self.tail:
            if headers.HOST not in self.facts:
                self.lines.append(b"Host: " + authority)
            self.tail = tail_of_request(self.lines, self.facts, self.peer, self.version)
        return with_tail(b"%b %b HTTP/1.1" % (self.method, self.target), self.tail)
