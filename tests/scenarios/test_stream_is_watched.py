"""One look tells an operator how both streams are: as a table, as JSON, as metrics, and as one SELECT."""

from __future__ import annotations

from pathlib import Path

import httpx

from cdc.exposition import serve_metrics
from cdc.watch import look, look_twice
from tests.support.mapped_pair import mapped_pair
from tests.support.streams import mark, rows, streaming
from tests.support.waiting import wait_until

STATUS = "SELECT side, name, state, applied_rows, rows_per_batch::int, wal_held_bytes > 0 FROM strangler.status ORDER BY side DESC, name"


def test_delay_is_true_while_it_streams_and_when_it_stands_still(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with mapped_pair(tmp_path, legacy_db, modern_db) as pair:
        assert {one.state for one in look(pair.routes, "accounts")} == {"not set up"}
        with streaming(pair.routes, modern_db):
            pair.legacy.execute("UPDATE acctmast SET bal_amt = bal_amt + 1 WHERE acct_no = '2000000001'")
            mark(pair.legacy, pair.modern, "applied")
            forward, reverse = look_twice(pair.routes, "accounts")
            assert (forward.state, forward.applied_rows, forward.rows_per_batch, forward.wal) == (
                "streaming",
                1,
                1.0,
                "ok",
            )
            assert (reverse.state, reverse.mode, reverse.slot_status) == ("streaming", "skip", "reserved")
            # Nobody writes: a heartbeat a second keeps the delay below what is being measured, and true.
            wait_until(
                lambda: (look(pair.routes, "accounts")[0].lag_seconds or 9) < 2, "the delay of an idle stream", 10
            )
            assert rows(pair.modern, STATUS) == [
                ("target", "accounts:forward", "streaming", 1, 1, None),
                ("source", "strangler_accounts_reverse", "reserved, read", None, None, True),
            ]
            port = serve_metrics(pair.routes, "accounts", "127.0.0.1:0")
            text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            assert 'strangler_stream_applied_rows{stream="accounts:forward"} 1.0' in text
            assert 'strangler_stream_up{stream="accounts:reverse"} 1.0' in text
        pair.legacy.execute("UPDATE acctmast SET bal_amt = bal_amt + 1")
        wait_until(lambda: (look(pair.routes, "accounts")[0].lag_seconds or 0) > 1, "the delay grows", 10)
        assert (look(pair.routes, "accounts")[0].lag_bytes or 0) > 1000
