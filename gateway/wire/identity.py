"""Pure: who the client is, as far as the proxies on the way are trusted, and the fields that say so upstream.

An untrusted peer is the client itself, whatever it says. What a trusted one says is passed on with the peer appended
if it is well-formed (RFC 7239 for Forwarded), and dropped if not, so that no upstream parses it in a way of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

Networks = tuple[IPv4Network | IPv6Network, ...]

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = _TOKEN + rb"=(?:" + _TOKEN + rb'|"[^"\\]*")'
_ELEMENT: Final = _PAIR + rb"(?:;" + _PAIR + rb")*"
_is_forwarded: Final = re.compile(_ELEMENT + rb"(?:[ \t]*,[ \t]*" + _ELEMENT + rb")*").fullmatch
_pairs: Final = re.compile(rb"(\A|[,;])[ \t]*(" + _TOKEN + rb')=("[^"\\]*"|' + _TOKEN + rb")[ \t]*").findall
_OBSCURED: Final = rb"_[0-9A-Za-z._-]+"
_NODE: Final = rb"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]+\]|unknown|" + _OBSCURED + rb")"
_is_node: Final = re.compile(_NODE + rb"(?::(?:[0-9]{1,5}|" + _OBSCURED + rb"))?").fullmatch
_is_chain: Final = re.compile(rb'[0-9A-Za-z._:\[\]"-]+(?:[ \t]*,[ \t]*[0-9A-Za-z._:\[\]"-]+)*').fullmatch
_SCHEMES: Final = frozenset({b"http", b"https"})


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a client connection, and the fields that say so upstream."""

    address: bytes
    is_trusted: bool
    scheme: bytes
    fields: bytes
    identity: bytes = b""  # of a client certificate that was verified


@lru_cache(maxsize=4096)
def peer_of(host: str, scheme: str, trusted: Networks) -> Peer:
    """The peer at that address; an address that is no IP address (a unix socket) is not trusted."""
    address = host.encode()
    fields = b"\r\nX-Forwarded-For: " + address + b"\r\nX-Forwarded-Proto: " + scheme.encode()
    return Peer(address, is_in(host, trusted), scheme.encode(), fields)


def is_in(host: str, networks: Networks) -> bool:
    """Whether the address lies in one of the networks; IPv4 in IPv6 counts as IPv4."""
    if not networks:
        return False
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks if network.version == mapped.version)


def client_of(peer: Peer, chain: bytes | None, forwarded: bytes | None, trusted: Networks) -> bytes:
    """The right-most address that is no trusted proxy's, in X-Forwarded-For or else in Forwarded.

    A hop that names no address hides everything to its left: the client is then the last address before it.
    """
    if not peer.is_trusted:
        return peer.address
    known = peer.address
    for hop in reversed(_hops(chain, forwarded)):
        address = _address(hop)
        if address is None:
            return known
        known = address
        if not is_in(address.decode(), trusted):
            return known
    return known


def _hops(chain: bytes | None, forwarded: bytes | None) -> list[bytes]:
    if chain is not None:
        return chain.split(b",")
    if forwarded is None or not is_well_formed(forwarded):
        return []
    return [value for _, name, value in _pairs(forwarded) if name.lower() == b"for"]


def _address(hop: bytes) -> bytes | None:
    """The address of a hop, which may be quoted, in brackets and with a port."""
    text = hop.strip(b' \t"').decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text)).encode()
    except ValueError:
        return None


def fields_of(peer: Peer, chain: bytes | None, scheme: bytes | None, forwarded: bytes | None) -> bytes:
    """The lines, each with CRLF in front, that say upstream who asks, when a trusted peer has said what it knows."""
    hops = chain + b", " + peer.address if chain and _is_chain(chain) else peer.address
    said = scheme if scheme in _SCHEMES else peer.scheme
    lines = b"\r\nX-Forwarded-For: " + hops + b"\r\nX-Forwarded-Proto: " + said
    if forwarded is None or not is_well_formed(forwarded):
        return lines
    node = b'"[' + peer.address + b']"' if b":" in peer.address else peer.address
    return lines + b"\r\nForwarded: " + forwarded + b", for=" + node


def is_well_formed(forwarded: bytes) -> bool:
    """Whether a Forwarded value is one that every recipient reads alike: RFC 7239, no parameter twice in an element."""
    if not _is_forwarded(forwarded):
        return False
    element: set[bytes] = set()
    for separator, name, value in _pairs(forwarded):
        lower = name.lower()
        if separator == b",":
            element = set()
        if lower in element or not _is_good(lower, value.strip(b'"')):
            return False
        element.add(lower)
    return True


def _is_good(name: bytes, value: bytes) -> bool:
    if name in (b"for", b"by"):
        return _is_node(value) is not None
    return value in _SCHEMES if name == b"proto" else bool(value)
