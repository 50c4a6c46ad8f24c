from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook import spot
from runbook.errors import SpotDifference
from runbook.spot import SpotCheck
from runbook.stages import Home
from tests.support.two_homes import two_homes

DAMAGES = {
    "a row lost": "DELETE FROM posting WHERE sequence = 7",
    "an amount changed": "UPDATE posting SET amount = amount + 0.01 WHERE sequence = 7",
    "money moved between currencies": """UPDATE account SET balance = balance +
        CASE account_id WHEN '2000000001' THEN 5 WHEN '2000000002' THEN -5 ELSE 0 END""",
    "a text changed": "UPDATE customer SET name = 'EVE' WHERE customer_id = '10000001'",
    "a row too many": "INSERT INTO customer VALUES ('10000009', 'EVE', '2000-01-01', NULL, NULL, 'active')",
}


@pytest.mark.parametrize("home", ["legacy", "modern"])
def test_equal_sides_pass(tmp_path: Path, legacy_db: str, modern_db: str, home: Home) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        assert SpotCheck(sides, home).run() == "402 rows counted and summed on both sides, the 402 touched last equal"


@pytest.mark.parametrize("home", ["legacy", "modern"])
def test_damage_is_found_in_both_directions(tmp_path: Path, legacy_db: str, modern_db: str, home: Home) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        check = SpotCheck(sides, home)
        for name, damage in DAMAGES.items():
            with sides.modern.conn.transaction(force_rollback=True):
                sides.modern.ask(damage)  # type: ignore[arg-type]
                with pytest.raises(SpotDifference) as caught:
                    check.run()
                assert "EVE" not in str(caught.value), name
        assert check.run()


def test_of_a_large_table_only_the_highest_keys_are_read(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(spot, "TOTALS_BYTES_MAX", 0)
    monkeypatch.setattr(spot, "NEWEST_BYTES_MAX", 0)
    monkeypatch.setattr(spot, "NEWEST_ROWS", 10)
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        check = SpotCheck(sides, "legacy")
        assert check.run() == "0 rows counted and summed on both sides, the 21 touched last equal"
        sides.modern.ask("UPDATE posting SET amount = 1 WHERE sequence = 199")
        with pytest.raises(SpotDifference, match="posting: 1 of the 10 rows"):
            check.run()
