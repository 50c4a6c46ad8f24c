"""Killed at any named moment between two steps, once, twice, or at two of them, a stream loses nothing and doubles nothing.

The suite kills once at each moment. `make crash-points` also kills at the second hit of each and at all pairs, and prints
the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import psycopg
import pytest

from cdc.crash_points import STREAM_POINTS
from tests.support.crashes import IS_WHOLE, Hits, dies_at, show
from tests.support.item_pair import BOTH_WAYS, ItemPair, item_pair
from tests.support.streams import once, rows, state

FIRST: list[Hits] = [((point, 1),) for point in STREAM_POINTS]
SECOND: list[Hits] = [((point, 2),) for point in STREAM_POINTS if point != "stream.started"]
PAIRS: list[Hits] = [((one, 1), (other, 1)) for one, other in product(STREAM_POINTS, repeat=2)]
STREAM_CASES = [*FIRST, *SECOND, *PAIRS] if IS_WHOLE else FIRST
# A change that is applied again over a newer one leaves a second line; the count of applied rows would differ, too.
TALLY = """
CREATE TABLE tally (thing int, size int);
CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO tally VALUES (NEW.thing_id, NEW.size); RETURN NULL; END $$;
CREATE TRIGGER count_it AFTER INSERT OR UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION count_it();
ALTER TABLE thing ENABLE ALWAYS TRIGGER count_it;
ALTER TABLE thing DROP CONSTRAINT thing_size_check;
"""


class Writer:
    """Small transactions that delete, insert and update; what it has written is counted."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn, self.number, self.changes = conn, 0, 0

    def write(self) -> None:
        self.number += 1
        at, slot = self.number, 1 + self.number % 20
        with self.conn.transaction():
            for statement in (
                f"DELETE FROM item WHERE id = {100 + slot}",
                f"INSERT INTO item VALUES ({100 + slot}, 'a', NULL, NULL, {at})",
                f"UPDATE item SET size = {at} WHERE id = {slot}",
            ):
                self.changes += self.conn.execute(statement.encode()).rowcount


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, databases_of_the_module: tuple[str, str]) -> Iterator[ItemPair]:
    with item_pair(tmp_path_factory.mktemp("crashes"), *databases_of_the_module, BOTH_WAYS) as pair:
        pair.legacy.execute("INSERT INTO item SELECT n, 'a', NULL, NULL, 0 FROM generate_series(1, 20) AS n")
        once(pair.routes)
        pair.modern.execute(TALLY)
        yield pair


@pytest.fixture(scope="module")
def writer(pair: ItemPair) -> Writer:
    return Writer(pair.legacy)


@pytest.mark.parametrize("hits", STREAM_CASES, ids=show)
def test_killed_while_it_streams(pair: ItemPair, writer: Writer, hits: Hits) -> None:
    for point, hit in hits:
        dies_at(pair.routes, point, hit, writer.write)
    once(pair.routes)
    assert pair.is_equal()
    assert state(pair.modern).applied_rows == writer.changes
    assert rows(pair.modern, "SELECT thing, size FROM tally GROUP BY 1, 2 HAVING count(*) > 1") == []
