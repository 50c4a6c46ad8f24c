"""A stream from an older PostgreSQL, which has no `origin` option, into the embedded one, and back."""

from __future__ import annotations

from pathlib import Path

from tests.support.mapped_pair import mapped_pair
from tests.support.streams import REVERSE, mark, rows, state, streaming


def test_both_ways_between_15_and_18(tmp_path: Path, debian_db: str, modern_db: str) -> None:
    with mapped_pair(tmp_path, debian_db, modern_db) as pair, streaming(pair.routes, modern_db):
        mark(pair.modern, pair.legacy, "turn", stream=REVERSE, mode="apply")
        pair.legacy.execute("UPDATE acctmast SET bal_amt = bal_amt + 5 WHERE acct_no = '2000000001'")
        mark(pair.legacy, pair.modern, "there")
        pair.modern.execute("SET session_replication_role = replica")  # past the fence
        pair.modern.execute("UPDATE account SET balance = balance + 1 WHERE account_id = '2000000001'")
        mark(pair.modern, pair.legacy, "back", stream=REVERSE)
        both = (
            rows(pair.legacy, "SELECT bal_amt FROM acctmast WHERE acct_no = '2000000001'"),
            rows(pair.modern, "SELECT balance FROM account WHERE account_id = '2000000001'"),
        )
        assert both[0] == both[1]
        mark(pair.legacy, pair.modern, "no echo")
        assert state(pair.legacy, REVERSE).applied_rows == 1  # what the forward stream wrote did not come back
        assert state(pair.modern).applied_rows == 1
