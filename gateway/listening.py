"""The addresses that a gateway listens on: parsed, checked for being free, and kept."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from config.errors import USAGE, PortInUse, StranglerError


@dataclass(eq=False)
class AddressInvalid(StranglerError):
    """An address that is not HOST:PORT, or that this machine does not have."""

    address: str
    reason: str
    exit_code = USAGE

    @property
    def sentence(self) -> str:
        """The address and why it cannot be used."""
        return f"{self.address!r} is not an address to listen on: {self.reason}."

    @property
    def hint(self) -> str:
        """What one looks like."""
        return "Write it like 127.0.0.1:8080 or [::1]:8080; port 0 picks a free one."


@dataclass(frozen=True)
class Address:
    """A host and a port; `str()` is how a person writes it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str) -> Address:
    """`127.0.0.1:8080`, `localhost:0`, `[::1]:8080`. Raises AddressInvalid."""
    host, colon, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host:
        raise AddressInvalid(text, "expected HOST:PORT")
    if not port.isdecimal() or int(port) > 65535:
        raise AddressInvalid(text, "the port is not a number up to 65535")
    return Address(host, int(port))


@dataclass(frozen=True)
class Bound:
    """A bound socket and the address it got, with the number that port 0 became."""

    sock: socket.socket
    address: Address

    def close(self) -> None:
        """Give the port back."""
        self.sock.close()


def bind_alone(address: Address) -> Bound:
    """Bind an address that nobody shares and listen, so that nobody else can; who connects waits. Raises PortInUse."""
    bound = _bind(address, reuse_address=True, reuse_port=False)
    try:
        bound.sock.listen()
    except OSError as error:
        bound.close()
        raise PortInUse(str(address)) from error
    return bound


def reserve_shared(address: Address) -> Bound:
    """Bind the port that every worker will listen on, without listening on it. Raises PortInUse.

    SO_REUSEPORT would let us join a port that another process of this user shares, so a bind without it asks first.
    The socket that stays has no SO_REUSEADDR: then the same question of another gateway is answered with no from now
    on, not only when the first worker listens. Connections of an earlier life that linger on the port forbid that,
    and only then is it bound with SO_REUSEADDR.
    """
    if address.port:
        _bind(address, reuse_address=True, reuse_port=False).close()
    try:
        return _bind(address, reuse_address=False, reuse_port=True)
    except PortInUse:
        return _bind(address, reuse_address=True, reuse_port=True)


def _bind(address: Address, *, reuse_address: bool, reuse_port: bool) -> Bound:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise AddressInvalid(str(address), "the host is not known") from error
    family, kind, protocol, _, where = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse_address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
        sock.bind(where)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(str(address)) from error
        raise AddressInvalid(str(address), (error.strerror or str(error)).lower()) from error
    return Bound(sock, Address(address.host, sock.getsockname()[1]))
