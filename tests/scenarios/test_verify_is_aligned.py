"""A verification compares both databases at one place of the log while both are written, and says where."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from cdc.streaming import slots
from cdc.verification import aligned
from cdc.verification import compare as comparing
from cdc.verification import verify as verifying
from cdc.verification.settle import settle
from cdc.verification.verify import TableResult, VerifyResult, Wanted, verify
from config.model import Routes
from tests.support.item_pair import item_pair
from tests.support.mapped_pair import mapped_pair
from tests.support.streams import REVERSE, mark, rows, streaming

QUICK = Wanted(settle_seconds=0.1, deadline_seconds=5.0)
# A row of modern that is always wrong in a column, whoever writes it, and right in those that change.
ALWAYS_WRONG = """
CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.branch := 'x'; RETURN NEW; END $$;
CREATE TRIGGER wrong BEFORE INSERT OR UPDATE ON account FOR EACH ROW WHEN (NEW.account_id = '2000000007')
    EXECUTE FUNCTION wrong();
ALTER TABLE account ENABLE ALWAYS TRIGGER wrong;
"""


@pytest.fixture(autouse=True)
def _soon_known_to_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "ABSENT_SECONDS", 0.1)


@contextmanager
def writing(url: str, write: Callable[[psycopg.Connection, int], object], pause: float = 0.002) -> Iterator[None]:
    """Somebody writes all the time, a number higher each time."""
    stop = threading.Event()

    def work() -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            number = 0
            while not stop.wait(pause):
                number += 1
                write(conn, number)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def transfer(conn: psycopg.Connection, number: int) -> None:
    with conn.transaction():
        for amount, account in ((1, 2000000001 + number % 50), (-1, 2000000051 + number % 50)):
            conn.execute("UPDATE acctmast SET bal_amt = bal_amt + %s WHERE acct_no = %s::text", (amount, account))


def table(result: VerifyResult, name: str) -> TableResult:
    return next(found for found in result.tables if found.target == name)


def test_money_is_the_same_on_both_sides_to_the_cent_while_it_moves(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "ROWS_PER_RANGE", 30)
    left: list[object] = []  # to be settled by looking again and again
    monkeypatch.setattr(verifying, "settle", lambda keys, *rest: left.extend(keys) or settle(keys, *rest))
    with mapped_pair(tmp_path, legacy_db, modern_db) as pair, streaming(pair.routes, modern_db):
        with writing(legacy_db, transfer):
            for direction in ("forward", "reverse", "forward"):
                found = verify("accounts", pair.routes, direction, wanted=QUICK)
                assert (found.equal, found.not_aligned) == (True, "")
                assert all(one.position for one in found.tables)
                assert all(total.legacy == total.modern for total in table(found, "account").totals)
        assert left == []
        assert rows(pair.legacy, "SELECT count(*) FROM pg_replication_slots WHERE temporary") == [(0,)]


def test_a_row_that_never_stands_still_is_found_when_it_is_wrong(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with mapped_pair(tmp_path, legacy_db, modern_db) as pair, streaming(pair.routes, modern_db):
        pair.modern.execute(ALWAYS_WRONG)
        change = "UPDATE acctmast SET bal_amt = %s WHERE acct_no = '2000000007'"
        pair.legacy.execute(change, (0,))
        with writing(legacy_db, lambda conn, number: conn.execute(change, (number,)), pause=0.1):
            mark(pair.legacy, pair.modern, "wrong")
            found = table(verify("accounts", pair.routes, "forward", wanted=QUICK), "account")
        assert (found.keys, found.changed, found.unsettled) == ((("2000000007",),), 1, 0)
        assert found.details[0].columns == ("branch",)


def test_since_an_earlier_one_only_new_rows_are_compared_while_rows_are_inserted(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("INSERT INTO item SELECT n, 'a', 'n' || n FROM generate_series(1, 5000) AS n")
        pair.legacy.execute("INSERT INTO part SELECT n, 1, 'n' || n FROM generate_series(1, 5000) AS n")
        with streaming(pair.routes, modern_db):
            assert verify("accounts", pair.routes, "forward", wanted=QUICK).equal
            since = replace(QUICK, since=datetime.now(UTC))
            insert = "INSERT INTO item VALUES (10000 + %s, 'a')"
            with writing(legacy_db, lambda conn, number: conn.execute(insert, (number,))):
                equal = verify("accounts", pair.routes, "forward", wanted=since)
                pair.modern.execute("SET session_replication_role = replica; DELETE FROM thing WHERE thing_id = 77")
                pair.modern.execute("DELETE FROM piece WHERE thing_id = 78")
                pair.legacy.execute("DELETE FROM part WHERE item = 79")
                mark(pair.legacy, pair.modern, "removed")
                removed = verify("accounts", pair.routes, "forward", wanted=since)
        assert equal.equal
        assert table(equal, "thing").rows < 5000
        assert table(removed, "thing").keys == ((77,),)
        assert table(removed, "piece").keys == ((78, 1),)


def test_rows_lost_on_either_side_do_not_make_up_for_each_other(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("INSERT INTO item SELECT n, 'a', 'n' || n FROM generate_series(1, 100) AS n")
        with streaming(pair.routes, modern_db):
            assert verify("accounts", pair.routes, "forward", wanted=QUICK).equal
        pair.legacy.execute("DELETE FROM item WHERE id = 5")
        pair.modern.execute("SET session_replication_role = replica; DELETE FROM thing WHERE thing_id = 6")
        found = verify("accounts", pair.routes, "forward", wanted=replace(QUICK, since=datetime.now(UTC)))
        assert table(found, "thing").keys == ((5,), (6,))


def test_after_the_cutover_the_reverse_stream_is_what_aligns(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mapped_pair(tmp_path, legacy_db, modern_db) as pair, streaming(pair.routes, modern_db):
        mark(pair.legacy, pair.modern, "over", mode="skip")
        mark(pair.modern, pair.legacy, "back", stream=REVERSE, mode="apply")
        pair.modern.execute("SET session_replication_role = replica")
        change = "UPDATE account SET balance = balance + 1 WHERE account_id = '2000000009'"
        with writing(f"{modern_db}?options=-csession_replication_role%3Dreplica", lambda conn, _: conn.execute(change)):
            found = verify("accounts", pair.routes, "reverse", wanted=QUICK)
            assert (found.equal, found.not_aligned) == (True, "")
        pair.legacy.execute("SET session_replication_role = replica; DELETE FROM trnhist WHERE trn_seq = 4")
        found = verify("accounts", pair.routes, "reverse", wanted=QUICK)
        assert (table(found, "posting").missing, found.not_aligned) == (1, "")


def test_a_table_that_is_emptied_between_the_snapshots_is_looked_at_again(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("INSERT INTO item SELECT n, 'a' FROM generate_series(1, 10) AS n")
        with streaming(pair.routes, modern_db):
            mark(pair.legacy, pair.modern, "before")
            look = aligned.Views._look_at_the_same

            def then_empty(self: aligned.Views, *conns: psycopg.Connection) -> None:
                look(self, *conns)
                with psycopg.connect(legacy_db, autocommit=True) as conn:
                    conn.execute("TRUNCATE part")
                    conn.execute("DELETE FROM item WHERE id = 3")
                mark(pair.legacy, pair.modern, "emptied")

            monkeypatch.setattr(aligned.Views, "_look_at_the_same", then_empty)
            found = verify("accounts", pair.routes, "forward", wanted=QUICK)
        assert found.equal
        assert (table(found, "thing").position is None, table(found, "piece").position) == (False, None)


def told(routes: Routes) -> str:
    return verify("accounts", routes, "forward", wanted=QUICK).not_aligned


def test_what_keeps_both_sides_from_being_aligned_is_told_and_they_are_compared_as_they_are(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligned, "SLOT_SECONDS_MAX", 0.3)
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        assert told(pair.routes) == "no stream applies changes from one to the other"
        with streaming(pair.routes, modern_db):
            assert told(pair.routes) == ""
            with psycopg.connect(legacy_db) as writer:
                writer.execute("INSERT INTO item VALUES (1, 'a')")
                assert "transactions have been open" in told(pair.routes)
            monkeypatch.setattr(aligned, "TOUCHED_MAX", -1)
            assert "between both snapshots" in told(pair.routes)
