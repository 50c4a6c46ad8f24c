"""The reverse stream runs from the start, applies nothing before the cutover, and never sends anything in circles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cdc.fence import lift_fence, raise_fence
from cdc.state import Marker, lag
from tests.support.mapped_pair import Pair, mapped_pair
from tests.support.streams import FORWARD, REVERSE, mark, rows, state, streaming
from tests.support.waiting import wait_until

MODERN_TABLES, LEGACY_TABLES = ("customer", "account", "posting"), ("custmast", "acctmast", "trnhist")
RENAMED = "SELECT cust_nm FROM custmast WHERE cust_no = '10000001'"


@pytest.fixture
def pair(tmp_path: Path, legacy_db: str, modern_db: str) -> Iterator[Pair]:
    with mapped_pair(tmp_path, legacy_db, modern_db) as pair, streaming(pair.routes, modern_db):
        yield pair


def sneak(pair: Pair, statement: str) -> None:
    """A write to modern that the fence does not see and that carries no origin."""
    with pair.modern.transaction():
        pair.modern.execute("SET LOCAL session_replication_role = replica")
        pair.modern.execute(statement.encode())


def test_nothing_goes_in_circles(pair: Pair) -> None:
    pair.legacy.execute("UPDATE custmast SET cust_nm = 'NEW NAME' WHERE cust_no = '10000001'")
    mark(pair.legacy, pair.modern, "there")
    back = mark(pair.modern, pair.legacy, "seen", stream=REVERSE)
    assert back.skipped_transactions > 0  # the copy, and the change
    assert (back.applied_rows, back.alarms) == (0, 0)
    forward = mark(pair.legacy, pair.modern, "no echo")
    assert forward.applied_rows == 1
    assert forward.skipped_transactions == 0


def test_a_write_to_modern_before_the_cutover_is_an_alarm(pair: Pair) -> None:
    pair.modern.execute("SET application_name = 'night-batch'")
    sneak(pair, "UPDATE customer SET name = 'SOMEBODY' WHERE customer_id = '10000001'")
    seen = mark(pair.modern, pair.legacy, "seen", stream=REVERSE)
    assert (seen.alarms, seen.applied_rows, seen.state) == (1, 0, "streaming")
    role = pair.modern.info.user
    assert seen.last_alarm == f'customer {{"customer_id": "10000001"}} by night-batch (role {role})'
    assert rows(pair.legacy, RENAMED) == [("ADA LOVELACE",)]


def test_a_writer_that_takes_the_triggers_away_is_an_alarm_without_a_name(pair: Pair) -> None:
    with pair.modern.transaction():
        pair.modern.execute("ALTER TABLE customer DISABLE TRIGGER ALL")
        pair.modern.execute("UPDATE customer SET name = 'SOMEBODY' WHERE customer_id = '10000002'")
        pair.modern.execute("ALTER TABLE customer ENABLE TRIGGER ALL")
    seen = mark(pair.modern, pair.legacy, "seen", stream=REVERSE)
    assert (seen.alarms, seen.last_alarm) == (
        1,
        'customer {"customer_id": "10000002"} by a writer that fired no trigger',
    )


def test_the_mode_changes_exactly_at_the_marker(pair: Pair) -> None:
    sneak(pair, "UPDATE customer SET name = 'BEFORE' WHERE customer_id = '10000001'")
    assert mark(pair.modern, pair.legacy, "go", stream=REVERSE, mode="apply").mode == "apply"
    sneak(pair, "UPDATE customer SET name = 'AFTER' WHERE customer_id = '10000002'")
    mark(pair.modern, pair.legacy, "stay", stream=REVERSE, mode="skip")
    sneak(pair, "UPDATE customer SET name = 'TOO LATE' WHERE customer_id = '10000002'")
    end = mark(pair.modern, pair.legacy, "end", stream=REVERSE)
    assert (end.alarms, end.applied_rows) == (2, 1)
    assert rows(pair.legacy, "SELECT cust_nm FROM custmast ORDER BY cust_no") == [("ADA LOVELACE",), ("AFTER",)]
    assert mark(pair.legacy, pair.modern, "no echo").applied_rows == 0


def test_a_sentinel_makes_the_round_trip_while_reverse_skips(pair: Pair) -> None:
    pair.legacy.execute("INSERT INTO strangler.sentinel (id, direction) VALUES ('s1', 'forward')")
    wait_until(lambda: rows(pair.modern, "SELECT id FROM strangler.sentinel"), "the sentinel has arrived in modern")
    pair.modern.execute("INSERT INTO strangler.sentinel (id, direction) VALUES ('s1', 'reverse')")
    wait_until(
        lambda: len(rows(pair.legacy, "SELECT id FROM strangler.sentinel")) == 2, "the sentinel has come back", 5
    )
    back = state(pair.legacy, REVERSE)
    assert (back.mode, back.alarms) == ("skip", 0)
    assert mark(pair.legacy, pair.modern, "no echo").applied_rows == 1


def test_after_the_cutover_writes_flow_back_and_return(pair: Pair) -> None:
    raise_fence(pair.legacy, LEGACY_TABLES, Marker(FORWARD, "cutover"), 5)
    wait_until(lambda: state(pair.modern).marker == "cutover", "drained")
    mark(pair.modern, pair.legacy, "apply", stream=REVERSE, mode="apply")
    lift_fence(pair.modern, MODERN_TABLES)
    pair.modern.execute("UPDATE account SET balance = balance + 5, status = 'blocked' WHERE account_id = '2000000001'")
    pair.modern.execute(
        "INSERT INTO posting VALUES ('2026-02-02', 9, '2000000001', 'R9', 'transfer', 'C', 5, 7, NULL, "
        "'2026-02-02 10:00:00.000001', 'note')"
    )
    raise_fence(pair.modern, MODERN_TABLES, Marker(REVERSE, "back", "skip"), 5)
    wait_until(lambda: state(pair.legacy, REVERSE).marker == "back", "drained")
    found = rows(pair.legacy, "SELECT bal_amt::text, acct_sts FROM acctmast WHERE acct_no = '2000000001'")
    assert found == [("6.25", "20")]
    legs = rows(pair.legacy, "SELECT trn_seq::int, trn_cd, trn_ts FROM trnhist WHERE trn_dt = '20260202'")
    assert legs == [(9, "XFER", "2026-02-02.10.00.00.000001")]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        pair.legacy.execute("UPDATE acctmast SET acct_sts = '00'")
    lift_fence(pair.legacy, LEGACY_TABLES)
    pair.legacy.execute("UPDATE acctmast SET acct_sts = '00' WHERE acct_no = '2000000001'")
    mark(pair.legacy, pair.modern, "forward again")
    assert rows(pair.modern, "SELECT status, balance::text FROM account WHERE account_id = '2000000001'") == [
        ("open", "6.25")
    ]
    assert state(pair.legacy, REVERSE).alarms == 0


def test_heartbeats_keep_the_lag_small_where_nobody_writes(pair: Pair) -> None:
    wait_until(lambda: state(pair.modern).heartbeat_at, "a heartbeat has arrived")
    pair.legacy.execute("CREATE TABLE elsewhere AS SELECT n FROM generate_series(1, 10000) AS n")
    behind = lag(pair.legacy, pair.modern, FORWARD)
    assert behind is not None
    wait_until(lambda: _lag_bytes(pair) < 10_000, "the position moves on")
    assert _lag_seconds(pair) < 3


def _lag_bytes(pair: Pair) -> int:
    found = lag(pair.legacy, pair.modern, FORWARD)
    assert found is not None
    return found.bytes


def _lag_seconds(pair: Pair) -> float:
    found = lag(pair.legacy, pair.modern, FORWARD)
    assert found is not None
    return found.seconds
