"""A mapping that looks rows up in a reference table: whatever changes on either, both databases stay equal, both ways."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdc.check import inspect
from cdc.fence import lift_fence
from cdc.filling.backfill import Watch
from cdc.filling.refill import refill
from cdc.setup import streams_of
from cdc.translation import references
from cdc.verification.verify import Wanted, verify
from config.model import Routes
from tests.support.mapped_pair import routes_for
from tests.support.streams import REVERSE, mark, rows, streaming

LEGACY = """
CREATE TABLE branch (br char(3) PRIMARY KEY, nm varchar(20), notes text);
CREATE TABLE currency (cur varchar(3) PRIMARY KEY, nm varchar(20) NOT NULL, places int NOT NULL);
CREATE UNIQUE INDEX ON currency (nm);
CREATE TABLE acct (no int PRIMARY KEY, br char(3), cur varchar(3) NOT NULL REFERENCES currency ON UPDATE CASCADE,
    amt numeric(12, 2) NOT NULL);
ALTER TABLE branch ALTER COLUMN notes SET STORAGE EXTERNAL;
INSERT INTO branch VALUES ('001', 'North', repeat('n', 9000)), ('002', 'South', NULL), ('003', NULL, NULL);
INSERT INTO currency VALUES ('EUR', 'Euro', 2), ('JPY', 'Yen', 0), ('XXX', 'None', 0);
INSERT INTO acct SELECT n, (ARRAY['001', '002', '003', '009', NULL])[1 + n % 5],
    (ARRAY['EUR', 'JPY'])[1 + n % 2], n FROM generate_series(1, 40) AS n;
"""
MODERN = """
CREATE TABLE office (code char(3) PRIMARY KEY, name varchar(20), notes text);
CREATE TABLE money (code varchar(3) PRIMARY KEY, name varchar(20) NOT NULL, digits int NOT NULL);
CREATE TABLE account (id int PRIMARY KEY, office char(3), office_name varchar(20), label text,
    currency varchar(20) NOT NULL, digits int NOT NULL, amount numeric(12, 2) NOT NULL);
"""
HEAD = "-- target: {}\n-- key: {}\n-- dialect: oracle\n"
MAPPINGS = {
    "office": HEAD.format("office", "code")
    + "-- reference: true\nSELECT BR AS code, NM AS name, NOTES AS notes FROM BRANCH\n",
    "money": HEAD.format("money", "code")
    + "-- reference: true\nSELECT CUR AS code, NM AS name, PLACES AS digits FROM CURRENCY\n",
    "account": HEAD.format("account", "id")
    + """SELECT a.NO AS id, a.BR AS office, b.NM AS office_name, NVL(UPPER(b.NM), 'nowhere') AS label,
       c.NM AS currency, c.PLACES AS digits, AMT AS amount
FROM ACCT a LEFT JOIN BRANCH b ON b.BR = a.BR JOIN CURRENCY c ON c.CUR = a.CUR
""",
}
WANTED = """
SELECT no, a.br, b.nm, coalesce(upper(b.nm), 'nowhere'), c.nm, c.places, amt
FROM acct a LEFT JOIN branch b USING (br) JOIN currency c USING (cur) ORDER BY 1"""
FOUND = "SELECT id, office, office_name, label, currency, digits, amount FROM account ORDER BY 1"


@dataclass(frozen=True)
class Lookups:
    """Both databases, open, and the routes that name them."""

    legacy: psycopg.Connection
    modern: psycopg.Connection
    routes: Routes

    def is_carried(self, name: str = "here") -> None:
        """Modern has what the SELECT gives on legacy, which a statement that nobody translated gives, too."""
        mark(self.legacy, self.modern, name)
        assert rows(self.modern, FOUND) == rows(self.legacy, WANTED)

    def is_verified(self) -> bool:
        return verify("accounts", self.routes, "forward", wanted=Wanted(settle_seconds=1)).equal


@pytest.fixture
def pair(tmp_path: Path, legacy_db: str, modern_db: str) -> Iterator[Lookups]:
    folder = tmp_path / "mappings"
    folder.mkdir()
    for name, text in MAPPINGS.items():
        (folder / f"{name}.sql").write_text(text)
    with psycopg.connect(legacy_db, autocommit=True) as left, psycopg.connect(modern_db, autocommit=True) as right:
        left.execute(LEGACY)
        right.execute(MODERN)
        yield Lookups(left, right, routes_for(tmp_path, legacy_db, modern_db, folder))


def change(pair: Lookups, *statements: str) -> None:
    with pair.legacy.transaction():
        for statement in statements:
            pair.legacy.execute(statement.encode())


BRANCHES, NAMES = st.sampled_from(["001", "002", "003", "004", "009"]), st.sampled_from(["'North'", "'Mid'", "NULL"])
MONIES, WORDS = st.sampled_from(["EUR", "JPY", "XXX"]), st.sampled_from(["Euro", "Yen", "None", "Coin"])
NUMBERS = st.integers(1, 45)
STATEMENTS = st.one_of(
    st.builds("INSERT INTO branch VALUES ('{}', {}, repeat('x', 9000)) ON CONFLICT DO NOTHING".format, BRANCHES, NAMES),
    st.builds("UPDATE branch SET nm = {1} WHERE br = '{0}'".format, BRANCHES, NAMES),
    st.builds("DELETE FROM branch WHERE br = '{}'".format, BRANCHES),
    st.builds(
        "UPDATE branch SET br = '{1}' WHERE br = '{0}' AND NOT EXISTS (SELECT FROM branch WHERE br = '{1}')".format,
        BRANCHES,
        BRANCHES,
    ),
    st.just("TRUNCATE branch"),
    st.builds(
        "UPDATE currency SET nm = '{1}' WHERE cur = '{0}' AND NOT EXISTS (SELECT FROM currency WHERE nm = '{1}')".format,
        MONIES,
        WORDS,
    ),
    st.builds("UPDATE currency SET places = {1} WHERE cur = '{0}'".format, MONIES, st.integers(0, 3)),
    st.just("UPDATE currency SET nm = 'tmp' WHERE cur = 'EUR'; UPDATE currency SET nm = 'Euro', places = 9 "
            "WHERE cur = 'JPY' AND NOT EXISTS (SELECT FROM currency WHERE nm = 'Euro')"),
    st.builds("UPDATE currency SET cur = 'E' || places WHERE cur = '{}' AND places < 9".format, MONIES),
    st.builds("INSERT INTO acct SELECT {}, '{}', max(cur), 1 FROM currency ON CONFLICT DO NOTHING".format, NUMBERS, BRANCHES),
    st.builds("UPDATE acct SET br = '{1}', amt = amt + 1 WHERE no = {0}".format, NUMBERS, BRANCHES),
    st.builds("UPDATE acct SET cur = (SELECT min(cur) FROM currency) WHERE no % 7 = {}".format, st.integers(0, 6)),
    st.builds("UPDATE acct SET no = no + 100 WHERE no = {} AND no < 100".format, NUMBERS),
    st.builds("DELETE FROM acct WHERE no = {}".format, NUMBERS),
)  # fmt: skip


def test_whatever_changes_on_both_sides_of_a_lookup_arrives(pair: Lookups, modern_db: str) -> None:
    with streaming(pair.routes, modern_db):
        pair.is_carried()

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.lists(st.lists(STATEMENTS, min_size=1, max_size=5), min_size=1, max_size=4))
        def arrives(transactions: list[list[str]]) -> None:
            for statements in transactions:
                try:
                    change(pair, *statements)
                except psycopg.errors.UniqueViolation:
                    continue
            pair.is_carried(repr(hash(str(transactions))))

        arrives()
        assert pair.is_verified()


def test_rows_are_derived_anew_where_only_the_code_has_changed(pair: Lookups, modern_db: str) -> None:
    with streaming(pair.routes, modern_db):
        for statement in (
            "UPDATE branch SET nm = 'Far north' WHERE br = '001'",  # its notes stay where they are, out of the log
            "INSERT INTO branch VALUES ('009', 'Late')",
            "UPDATE branch SET br = '010' WHERE br = '001'",
            "DELETE FROM branch WHERE br = '002'",
            "UPDATE currency SET nm = CASE cur WHEN 'EUR' THEN 'Evro' ELSE nm END, places = places + 1",
            "TRUNCATE branch",
        ):
            change(pair, statement)
            pair.is_carried(statement)
        assert pair.is_verified()


def test_a_batch_that_changes_both_sees_the_right_version(pair: Lookups, modern_db: str) -> None:
    with streaming(pair.routes, modern_db):
        change(
            pair,
            "UPDATE currency SET nm = 'tmp' WHERE cur = 'EUR'",
            "UPDATE currency SET nm = 'Euro' WHERE cur = 'JPY'",  # each has the name that the other one had
            "UPDATE currency SET nm = 'Yen' WHERE cur = 'EUR'",
            "UPDATE acct SET cur = 'JPY' WHERE no = 1",
            "UPDATE branch SET nm = 'X' WHERE br = '001'",
            "INSERT INTO acct VALUES (50, '001', 'EUR', 1)",
        )
        pair.is_carried()


def test_a_table_is_filled_again_with_what_it_looks_up(pair: Lookups, modern_db: str) -> None:
    with streaming(pair.routes, modern_db):
        pair.is_carried()
        pair.modern.execute(
            "SET session_replication_role = replica; UPDATE account SET office_name = 'damaged', digits = 7"
        )
        assert not pair.is_verified()
        plan = streams_of(pair.routes, "accounts").forward
        mapping = next(one for one in plan.mappings if one.target_table == "account")
        assert refill(plan, mapping, Watch(threading.Event())).written == 40
        pair.is_carried("again")


def test_the_way_back_finds_the_code_by_its_name(pair: Lookups, modern_db: str) -> None:
    with streaming(pair.routes, modern_db):
        pair.is_carried()
        mark(pair.legacy, pair.modern, "off", mode="skip")
        mark(pair.modern, pair.legacy, "on", stream=REVERSE, mode="apply")
        with pair.modern.transaction():
            lift_fence(pair.modern, ["office", "money", "account"])
        pair.modern.execute("INSERT INTO money VALUES ('GBP', 'Pound', 2)")
        pair.modern.execute("INSERT INTO account VALUES (60, '001', 'North', 'NORTH', 'Pound', 2, 5)")
        pair.modern.execute("UPDATE account SET currency = 'Yen', digits = 0 WHERE id = 2")
        mark(pair.modern, pair.legacy, "back", stream=REVERSE)
        assert rows(pair.legacy, "SELECT no, br, cur FROM acct WHERE no IN (2, 60) ORDER BY 1") == [
            (2, "003", "JPY"),
            (60, "001", "GBP"),
        ]
        assert verify("accounts", pair.routes, "reverse", wanted=Wanted(settle_seconds=1)).equal


def test_a_check_says_what_is_looked_up_and_how_many_rows_find_nothing(pair: Lookups) -> None:
    report = inspect(pair.routes, "accounts", sample_rows=1000)
    account = next(one for one in report.mappings if one.target == "account")
    assert account.verdict == "ok", account.reason
    found = {one.name: (one.kind, one.sources) for one in account.columns}
    assert found["office_name"] == ("lossy", ("br", "branch.nm"))
    assert found["currency"] == ("lossless", ("cur", "currency.nm"))
    sampled = next(one for one in report.samples if one.table == "acct")
    assert {(one.column, one.kind, one.rows) for one in sampled.troubles} == {
        ("office_name", "finds no row in branch", 8),
        ("label", "finds no row in branch", 8),
    }


def test_a_reference_that_is_too_large_is_a_finding(pair: Lookups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "ROWS_MAX", 2)
    said = [one.text for one in inspect(pair.routes, "accounts").findings]
    assert "branch is declared as a reference and has more than 2 rows" in said
