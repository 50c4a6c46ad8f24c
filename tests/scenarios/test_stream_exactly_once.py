"""A process that is killed at any moment loses nothing and applies nothing twice."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import psycopg

from tests.support.mapped_pair import Pair, mapped_pair
from tests.support.streams import mark, once, rows, state, streaming, streaming_process
from tests.support.waiting import wait_until

# Every applied change of the target leaves a line, so that a change that is applied twice is seen.
TALLY = """
CREATE TABLE tally (sequence bigint, times int DEFAULT 1);
CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO tally VALUES (NEW.sequence); RETURN NULL; END $$;
CREATE TRIGGER count_it AFTER INSERT OR UPDATE ON posting FOR EACH ROW EXECUTE FUNCTION count_it();
ALTER TABLE posting ENABLE ALWAYS TRIGGER count_it;
"""
POST = """
WITH moved AS (UPDATE acctmast SET bal_amt = bal_amt + 1 WHERE acct_no = %(account)s RETURNING acct_no, bal_amt)
INSERT INTO trnhist SELECT '20260201', %(number)s, acct_no, 'R' || %(number)s, 'XFER', 'C', 1, bal_amt, NULL,
    '2026-02-01.00.00.00.000000', NULL FROM moved
"""
ACCOUNTS = "SELECT acct_no, bal_amt FROM acctmast WHERE acct_typ <> 'X' ORDER BY 1"


def write(url: str, stop: threading.Event, written: list[int]) -> None:
    """Transfers, one transaction each, until told to stop."""
    with psycopg.connect(url, autocommit=True) as conn:
        while not stop.wait(0.001):
            number = len(written) + 1
            conn.execute(POST, {"account": str(2000000001 + number % 50), "number": number})
            written.append(number)


def assert_equal(pair: Pair, written: list[int]) -> None:
    assert rows(pair.modern, "SELECT account_id, balance FROM account ORDER BY 1") == rows(pair.legacy, ACCOUNTS)
    arrived = rows(pair.modern, "SELECT sequence::int FROM posting WHERE booked_on = '2026-02-01' ORDER BY 1")
    assert arrived == [(number,) for number in written]
    twice = rows(pair.modern, "SELECT sequence FROM tally GROUP BY sequence HAVING count(*) > 1")
    assert twice == []


def test_killed_at_random_moments_under_writes(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    chance = random.Random(87)
    with mapped_pair(tmp_path, legacy_db, modern_db) as pair:
        with streaming(pair.routes, modern_db):
            pair.modern.execute(TALLY)
        stop = threading.Event()
        written: list[int] = []
        writer = threading.Thread(target=write, args=(legacy_db, stop, written))
        writer.start()
        try:
            for _ in range(3):
                before = state(pair.modern).applied_transactions
                with streaming_process(pair.routes):
                    wait_until(lambda: state(pair.modern).applied_transactions > before, "it streams", 20)  # noqa: B023
                    threading.Event().wait(chance.random() * 0.3)
        finally:
            stop.set()
            writer.join()
        with streaming(pair.routes, modern_db):
            mark(pair.legacy, pair.modern, "end")
        assert_equal(pair, written)
        assert state(pair.modern).applied_transactions >= len(written)


def test_once_applies_what_was_flushed_and_ends(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with mapped_pair(tmp_path, legacy_db, modern_db) as pair:
        once(pair.routes)
        pair.modern.execute(TALLY)
        numbers = list(range(1, 301))
        for number in numbers:
            pair.legacy.execute(POST, {"account": str(2000000001 + number % 50), "number": number})
        once(pair.routes)
        assert_equal(pair, numbers)
        position = state(pair.modern).position
        confirmed = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s"
        found = pair.legacy.execute(confirmed, ("strangler_accounts_forward",)).fetchone()
        assert found == (position,)
        once(pair.routes)
        assert_equal(pair, numbers)


def test_a_broken_connection_is_made_anew(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'strangler-sync'"
    with mapped_pair(tmp_path, legacy_db, modern_db) as pair:
        with streaming(pair.routes, modern_db) as streams:
            pair.modern.execute(TALLY)
            for number in range(1, 7):
                side = pair.legacy if number % 2 else pair.modern
                side.execute(f"{kill} AND datname = current_database()".encode())
                pair.legacy.execute(POST, {"account": "2000000001", "number": number})
            mark(pair.legacy, pair.modern, "end")
            assert streams.error is None
        assert_equal(pair, list(range(1, 7)))
