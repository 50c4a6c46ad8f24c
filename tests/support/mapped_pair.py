"""Two databases with the demo bank's tables and routes.yaml that names them: for checks and verifications."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from cdc.translation.functions import install_functions
from cdc.translation.load import load_mappings
from config.model import Routes
from config.reader import read_routes
from tests.support.bank_tables import LEGACY, MODERN, ROWS

MAPPINGS = Path(__file__).parents[2] / "legacy_adapter" / "mappings" / "accounts"
ROUTES = """
version: 1
databases: {{legacy: {{url: "{legacy}"}}, ledger: {{url: "{modern}"}}}}
upstreams: {{monolith: {{url: "http://127.0.0.1:1"}}, ledger: {{url: "http://127.0.0.1:2"}}}}
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: legacy,
              sync: {{source: legacy, target: ledger, mappings: "{mappings}"}}}}
routes: []
"""


@dataclass(frozen=True)
class Pair:
    """Both databases, open, and the routes that name them."""

    legacy: psycopg.Connection
    modern: psycopg.Connection
    routes: Routes

    def copy(self) -> None:
        """Bring modern to the state of legacy through the mappings."""
        for mapping in load_mappings(self.routes.capabilities["accounts"].sync, self.legacy, self.modern):
            names = ", ".join(column.name for column in mapping.columns)
            with self.modern.cursor() as cursor, self.legacy.cursor() as reader:
                reader.execute(mapping.select())
                with cursor.copy(f"COPY {mapping.target_table} ({names}) FROM STDIN") as copy:
                    for row in reader:
                        copy.write_row(row)


def routes_for(folder: Path, legacy: str, modern: str, mappings: Path = MAPPINGS) -> Routes:
    path = folder / "routes.yaml"
    path.write_text(ROUTES.format(legacy=legacy, modern=modern, mappings=mappings))
    return read_routes(path, {})


@contextmanager
def mapped_pair(folder: Path, legacy: str, modern: str, mappings: Path = MAPPINGS) -> Iterator[Pair]:
    """The tables of the bank on both sides, rows on the legacy side only."""
    with psycopg.connect(legacy, autocommit=True) as left, psycopg.connect(modern, autocommit=True) as right:
        left.execute(LEGACY)
        left.execute(ROWS)
        right.execute(MODERN)
        for conn in (left, right):
            install_functions(conn)
        yield Pair(left, right, routes_for(folder, legacy, modern, mappings))
