import pytest

from config.errors import DatabaseDown
from legacy_adapter.monolith.app import NoBank, build, serve


def test_a_database_that_is_down_is_named_before_anything_is_served():
    with pytest.raises(DatabaseDown, match="corebank"):
        serve("postgresql://nobody@127.0.0.1:1/x", "127.0.0.1:0")


def test_a_database_without_the_bank_says_what_to_do():
    assert "CUSTMAST" in str(NoBank())


def test_no_two_interfaces_share_a_path():
    paths = [route.path for route in build("").routes]
    assert len(paths) == len(set(paths))
