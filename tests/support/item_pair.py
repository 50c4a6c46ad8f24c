"""Two databases with a small made-up schema and its mappings: what the bank's tables do not show of the streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from config.model import Routes
from tests.support.mapped_pair import routes_for
from tests.support.streams import FORWARD, mark, rows
from tests.support.waiting import wait_until

LEGACY = """
CREATE TABLE item (id int PRIMARY KEY, kind text NOT NULL DEFAULT 'a', name text UNIQUE, body text, size int);
CREATE TABLE part (item int NOT NULL REFERENCES item ON UPDATE CASCADE ON DELETE CASCADE, number int, note text,
    PRIMARY KEY (item, number));
"""
MODERN = """
CREATE TABLE thing (thing_id int PRIMARY KEY, kind text NOT NULL, name text UNIQUE, body text,
    size int CHECK (size < 1000), added_later text DEFAULT 'mine');
CREATE TABLE piece (thing_id int NOT NULL REFERENCES thing, number int, note text, PRIMARY KEY (thing_id, number));
"""
MAPPINGS = {
    "thing": "-- target: thing\n-- key: thing_id\n-- dialect: postgres\n"
    "SELECT id AS thing_id, kind, name, body, size FROM item WHERE kind <> 'x'\n",
    "piece": "-- target: piece\n-- key: thing_id, number\n-- dialect: postgres\n"
    "SELECT item AS thing_id, number, note FROM part\n",
}
BOTH_WAYS = {name: text.replace(" WHERE kind <> 'x'", "") for name, text in MAPPINGS.items()}
THINGS = "SELECT thing_id, kind, name, body, size FROM thing ORDER BY 1"
ITEMS = "SELECT id, kind, name, body, size FROM item WHERE kind <> 'x' ORDER BY 1"
PIECES, PARTS = "SELECT * FROM piece ORDER BY 1, 2", "SELECT * FROM part ORDER BY 1, 2"


@dataclass(frozen=True)
class ItemPair:
    """Both databases, open in autocommit, and the routes that name them."""

    legacy: psycopg.Connection
    modern: psycopg.Connection
    routes: Routes
    modern_db: str

    def is_equal(self) -> bool:
        """Whether modern has exactly what the mappings make of legacy."""
        return rows(self.modern, THINGS) == rows(self.legacy, ITEMS) and rows(self.modern, PIECES) == rows(
            self.legacy, PARTS
        )

    def catches_up(self, name: str = "here") -> None:
        """Wait until everything that legacy has now is in modern, and compare."""
        mark(self.legacy, self.modern, name, stream=FORWARD)
        assert rows(self.modern, THINGS) == rows(self.legacy, ITEMS)
        assert rows(self.modern, PIECES) == rows(self.legacy, PARTS)


@contextmanager
def item_pair(folder: Path, legacy: str, modern: str, mappings: dict[str, str] | None = None) -> Iterator[ItemPair]:
    (folder / "mappings").mkdir()
    for name, text in (mappings or MAPPINGS).items():
        (folder / "mappings" / f"{name}.sql").write_text(text)
    with psycopg.connect(legacy, autocommit=True) as left, psycopg.connect(modern, autocommit=True) as right:
        left.execute(LEGACY)
        right.execute(MODERN)
        yield ItemPair(left, right, routes_for(folder, legacy, modern, folder / "mappings"), modern)


def wait_equal(pair: ItemPair) -> None:
    wait_until(pair.is_equal, "modern equals legacy", 20)
