import psycopg
import pytest

from runbook.demo.cluster import Cluster


def test_a_fresh_database_has_logical_replication(legacy_db: str) -> None:
    with psycopg.connect(legacy_db) as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)


def test_a_database_is_dropped_with_its_slots(legacy_server: Cluster) -> None:
    with psycopg.connect(legacy_server.create_database("slotted"), autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')")
    legacy_server.drop_database("slotted")
    with psycopg.connect(legacy_server.url("postgres")) as connection:
        assert connection.execute("SELECT count(*) FROM pg_replication_slots").fetchone() == (0,)


def test_without_the_password_nobody_gets_in(legacy_server: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"host=127.0.0.1 port={legacy_server.port} user=strangler password=wrong dbname=postgres")
