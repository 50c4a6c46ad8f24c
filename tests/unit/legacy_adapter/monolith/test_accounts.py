import asyncio

import httpx
import pytest

from legacy_adapter.connections import Connections
from legacy_adapter.monolith.app import build


def answer(method, path, **options):
    async def ask():
        app = build("")
        app.state.connections = Connections("host=127.0.0.1 port=1", name="corebank")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://core") as client:
            return await client.request(method, path, **options)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/accounts/1", "/accounts/2000000001%00", "/accounts/200000000x/statement"])
def test_a_number_of_another_form_is_not_found_without_asking(path):
    assert answer("GET", path).json() == {"rc": "14", "msg": "ACCOUNT NOT FOUND"}


def test_other_things_are_not_found_by_their_name():
    assert answer("GET", "/customers/1/accounts").json()["msg"] == "CUSTOMER NOT FOUND"
    assert answer("GET", f"/transfers/{'x' * 37}").json()["msg"] == "TRANSFER NOT FOUND"


def test_the_form_is_checked_before_the_account():
    assert answer("POST", "/accounts/1/transfers", content=b"{").json()["rc"] == "30"
    order = {"ref": "r", "to": "2000000002", "amt": "1"}
    assert answer("POST", "/accounts/1/transfers", json=order).json() == {
        "rc": "14",
        "ref": "r",
        "msg": "ACCOUNT NOT FOUND",
    }


def test_a_body_that_is_too_long_is_not_read():
    assert answer("POST", "/accounts/2000000001/transfers", content=b" " * 70_000).json()["rc"] == "30"


def test_a_database_that_is_away_is_answered_with_200():
    response = answer("GET", "/accounts/2000000001")
    assert (response.status_code, response.json()) == (200, {"rc": "96", "msg": "SYSTEM UNAVAILABLE"})
