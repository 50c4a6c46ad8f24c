"""A table with two references beside it, for tests of lookups that need no server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cdc.catalogue import ForeignKey, Table
from cdc.mapping import Mapping
from cdc.translation.build import build
from tests.support.mapping_files import catalogue, table, written

BRANCH = table("branch", "br character(3), nm varchar(20)?, notes text?", "br")
CURRENCY = replace(
    table("currency", "cur varchar(3), nm varchar(20), places integer", "cur"), unique_keys=(("cur",), ("nm",))
)
TARGET = catalogue(
    table("account", "id integer, office character(3)?, currency varchar(20)?, v varchar(20)?"),
    table("office", "code character(3), name varchar(20)?", "code"),
    table("money", "code varchar(3), name varchar(20), digits integer", "code"),
)
REFERENCES = {
    "office": "SELECT BR AS code, NM AS name FROM branch",
    "money": "SELECT CUR AS code, NM AS name, PLACES AS digits FROM currency",
}


def acct_with(*, is_enforced: bool) -> Table:
    """The table that is mapped, with a foreign key to currency."""
    plain = table("acct", "id integer, br character(3)?, cur varchar(3)")
    return replace(plain, foreign_keys=(ForeignKey(("cur",), "currency", ("cur",), is_enforced),))


def _built(folder: Path, select: str, acct: Table, target: str, more: str) -> Mapping | list[str]:
    for name, text in REFERENCES.items():
        file = written(folder, text, target=name, key="code")
        file.write_text("-- reference: true\n" + file.read_text())
    file = written(folder, select, target=target, key="id" if target == "account" else "code")
    file.write_text(more + file.read_text())
    found = build(file, catalogue(acct, BRANCH, CURRENCY), TARGET)
    return found if isinstance(found, Mapping) else [f"{one.problem} {one.remedy}" for one in found]


def accepted(folder: Path, select: str, acct: Table | None = None) -> Mapping:
    """The mapping of account, or the test fails with the reason of the refusal."""
    found = _built(folder, select, acct or acct_with(is_enforced=True), "account", "")
    assert isinstance(found, Mapping), found
    return found


def refusal(folder: Path, select: str, acct: Table | None = None, target: str = "account", more: str = "") -> str:
    """All reasons and remedies, or the test fails because there are none."""
    found = _built(folder, select, acct or acct_with(is_enforced=True), target, more)
    assert not isinstance(found, Mapping), found.select()
    return "; ".join(found)
