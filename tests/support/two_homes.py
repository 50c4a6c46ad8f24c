"""Both databases of the demo bank's accounts, small, with the columns, sequences and mappings of the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from cdc.translation.functions import install_functions
from config.reader import read_routes
from runbook.sides import Sides, open_sides
from tests.support.bank_tables import LEGACY, MODERN, ROWS

MAPPINGS = Path(__file__).parents[2] / "legacy_adapter" / "mappings" / "accounts"
SEQUENCES = {"legacy": "CREATE SEQUENCE trnhist_seq CACHE 50", "modern": "CREATE SEQUENCE posting_sequence"}
TABLE_PAIRS = (("custmast", "customer"), ("acctmast", "account"), ("trnhist", "posting"))


def write_routes(folder: Path, legacy_db: str, modern_db: str, *, stage: str = "canary", **more: str) -> Path:
    """Write a routes.yaml with one capability; `more` are further lines of the capability, gateway or databases."""
    path = folder / "routes.yaml"
    path.write_text(f"""\
version: 1
gateway: {{admin: "127.0.0.1:1"{more.get("gateway", "")}}}
databases:
  legacy: {{url: "{legacy_db}"}}
  ledger: {{url: "{modern_db}"}}
upstreams:
  monolith: {{url: "http://127.0.0.1:1"}}
  ledger: {{url: "http://127.0.0.1:1"}}
default: monolith
capabilities:
  accounts:
    legacy: monolith
    modern: ledger
    stage: {stage}  # kept
    canary: {{percent: 5, key: "header:X-Customer-Id"}}
    sync: {{source: legacy, target: ledger, mappings: "{MAPPINGS}"}}
    writers: [corebank, ledger]
{more.get("capability", "")}
routes:
  - {{match: "GET /accounts/{{id}}", capability: accounts}}
  - {{match: "POST /accounts/{{id}}/transfers", capability: accounts}}
""")
    return path


@contextmanager
def two_homes(folder: Path, legacy_db: str, modern_db: str, *, rows: bool = True) -> Iterator[Sides]:
    """Create the tables, copy the rows through the mappings, and open both sides."""
    with psycopg.connect(legacy_db, autocommit=True) as legacy, psycopg.connect(modern_db, autocommit=True) as modern:
        legacy.execute(LEGACY + SEQUENCES["legacy"])
        modern.execute(MODERN + SEQUENCES["modern"])
        if rows:
            legacy.execute(ROWS)
            legacy.execute("SELECT setval('trnhist_seq', 250)")
    sides = open_sides(read_routes(write_routes(folder, legacy_db, modern_db)), "accounts")
    assert sides is not None
    try:
        for side in (sides.legacy, sides.modern):
            install_functions(side.conn)
        copy_over(sides)
        yield sides
    finally:
        sides.close()


def copy_over(sides: Sides) -> None:
    """What backfill and stream would do: the mapping's rows into the target."""
    for mapping in sides.mappings:
        with (
            sides.legacy.conn.cursor().copy(f"COPY ({mapping.select()}) TO STDOUT") as out,
            sides.modern.conn.cursor().copy(f"COPY {mapping.target_table} ({_names(mapping)}) FROM STDIN") as into,
        ):
            for data in out:
                into.write(data)


def _names(mapping: object) -> str:
    return ", ".join(column.name for column in mapping.columns)  # type: ignore[attr-defined]
