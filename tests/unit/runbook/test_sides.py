from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from config.errors import DatabaseDown, NotConfigured
from config.reader import read_routes
from runbook.sides import Side, connect, mapped, open_sides, table_name
from tests.support.two_homes import two_homes, write_routes


def test_both_sides_with_the_tables_of_the_mappings(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db, rows=False) as sides:
        assert sides.legacy.tables == ("custmast", "acctmast", "trnhist")
        assert sides.modern.tables == ("customer", "account", "posting")
        assert sides.at("legacy") is sides.legacy
        assert sides.other("legacy") is sides.modern
        assert [sides.stream_from("legacy"), sides.stream_from("modern")] == ["accounts:forward", "accounts:reverse"]
        (row,) = sides.legacy.ask("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        assert row == ("strangler-runbook",)


def test_a_database_that_is_down_is_named(tmp_path: Path, legacy_db: str) -> None:
    routes = read_routes(write_routes(tmp_path, legacy_db, "postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(DatabaseDown, match="'ledger'"):
        open_sides(routes, "accounts")
    with pytest.raises(NotConfigured, match=r"databases\.elsewhere"):
        connect(routes, "elsewhere")


def test_a_lost_connection_is_the_database_s_and_a_timeout_is_not(legacy_db: str) -> None:
    with psycopg.connect(legacy_db, autocommit=True) as connection:
        side = Side("legacy", "legacy", connection, ())
        with pytest.raises(psycopg.errors.QueryCanceled):
            side.ask("SET statement_timeout = 1; SELECT pg_sleep(5)")
        with pytest.raises(DatabaseDown):
            side.ask("SELECT pg_terminate_backend(pg_backend_pid())")


def test_names_are_quoted() -> None:
    assert table_name('odd"name').as_string() == '"odd""name"'
    assert table_name("core.acct").as_string() == '"core"."acct"'
    with pytest.raises(ZeroDivisionError), mapped("legacy"):
        raise ZeroDivisionError
