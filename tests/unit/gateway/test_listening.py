from __future__ import annotations

import socket

import pytest

from config.errors import PortInUse
from gateway.listening import Address, AddressInvalid, bind_alone, parse_address, reserve_shared


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:65535", Address("localhost", 65535)),
    ],
)
def test_addresses_are_parsed_and_printed(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["8080", ":8080", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalid, match=r"127\.0\.0\.1:8080"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert Address(host, 1).is_loopback is expected


def test_port_0_becomes_a_number_that_workers_can_share() -> None:
    reserved = reserve_shared(Address("127.0.0.1", 0))
    with socket.socket() as worker, socket.socket() as client:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind(("127.0.0.1", reserved.address.port))
        worker.listen()
        client.connect(("127.0.0.1", reserved.address.port))
    reserved.close()


def test_a_port_that_is_reserved_or_bound_is_in_use() -> None:
    reserved, alone = reserve_shared(Address("127.0.0.1", 0)), bind_alone(Address("127.0.0.1", 0))
    for address in (reserved.address, alone.address):
        with pytest.raises(PortInUse, match=str(address.port)):
            reserve_shared(address)
        with pytest.raises(PortInUse, match=str(address.port)):
            bind_alone(address)
    reserved.close()
    alone.close()


def test_connections_of_an_earlier_life_do_not_keep_the_port() -> None:
    with socket.socket() as before, socket.socket() as client:
        before.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        before.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", before.getsockname()[1])
        before.listen()
        client.connect(before.getsockname())
        accepted, _ = before.accept()
        before.close()
        reserve_shared(address).close()
        accepted.close()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(AddressInvalid, match=r"192\.0\.2\.1"):
        bind_alone(Address("192.0.2.1", 8080))
