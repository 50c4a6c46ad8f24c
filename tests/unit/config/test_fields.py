from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from config.fields import Address, HttpUrl, Seconds, key_of_kind


@pytest.mark.parametrize("key", ["client", "header:X-Customer-Id", "jwt:sub"])
def test_a_key_names_where_it_is_read_from(key: str) -> None:
    assert key_of_kind("header", "jwt", "client")(key) == key


@pytest.mark.parametrize("key", ["", "header", "header:", "cookie:a", "client:x", "jwt"])
def test_what_is_no_key_is_told_what_is(key: str) -> None:
    with pytest.raises(ValueError, match="expected header:NAME, jwt:NAME, client"):
        key_of_kind("header", "jwt", "client")(key)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Seconds, "0s"), (Seconds, "soon"), (HttpUrl, "http://host/path"), (HttpUrl, "ftp://host"), (Address, "host")],
)
def test_a_value_of_another_kind_is_refused(kind: object, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)
