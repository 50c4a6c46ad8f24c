"""Killed at any named moment between two steps, once, twice, or at two of them, a stream loses nothing and doubles nothing.

The suite kills once at each moment. `make crash-points` also kills at the second hit of each and at all pairs, and prints
the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from cdc.crash_points import STREAM_POINTS
from tests.support.crashes import IS_WHOLE, Hits, dies_at, show
from tests.support.item_pair import BOTH_WAYS, ItemPair, item_pair
from tests.support.streams import once, rows, state
from tests.support.tally import TALLY, Writer

FIRST: list[Hits] = [((point, 1),) for point in STREAM_POINTS]
SECOND: list[Hits] = [((point, 2),) for point in STREAM_POINTS if point != "stream.started"]
PAIRS: list[Hits] = [((one, 1), (other, 1)) for one, other in product(STREAM_POINTS, repeat=2)]
STREAM_CASES = [*FIRST, *SECOND, *PAIRS] if IS_WHOLE else FIRST


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
