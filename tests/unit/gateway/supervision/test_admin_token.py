from __future__ import annotations

import pytest

from gateway.listening import Address
from gateway.supervision.admin_token import TOKEN_VARIABLE, AdminTokenMissing, required_token


def test_loopback_needs_no_token() -> None:
    assert required_token(Address("127.0.0.1", 8081), {TOKEN_VARIABLE: "secret"}) is None


def test_elsewhere_the_token_is_required() -> None:
    assert required_token(Address("0.0.0.0", 8081), {TOKEN_VARIABLE: "secret"}) == "secret"
    for environ in ({}, {TOKEN_VARIABLE: ""}):
        with pytest.raises(AdminTokenMissing, match=TOKEN_VARIABLE) as missing:
            required_token(Address("0.0.0.0", 8081), environ)
        assert missing.value.exit_code == 2
