"""Connections that break between any two parties, also after the work was done, lose nothing and double nothing.

The streams run on. Each fault cuts every connection between two parties; then they connect anew, everything arrives,
and nothing was applied twice. The suite has a few cuts; `make faults` has them all and prints the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.breakable import Breakable, Fault, breakable
from tests.support.crashes import IS_WHOLE
from tests.support.item_pair import BOTH_WAYS, ItemPair, item_pair
from tests.support.mapped_pair import routes_for
from tests.support.streams import Streaming, mark, once, rows, state, streaming
from tests.support.tally import TALLY, Writer
from tests.support.waiting import wait_until

PARTIES = ("source", "target")
# What the streams do not hear although it was done: the end of a batch, of a COPY, of the start of the stream.
LOST_ANSWERS = [
    ("target", Fault("answered", word=b"COMMIT\0")),
    ("target", Fault("answered", word=b"COPY ")),
    ("target", Fault("answered", word=b"BEGIN\0")),
    ("source", Fault("answered", word=b"strangler.heartbeat")),
]
FEW = [("source", Fault("answered", 700)), ("target", Fault("asked", 700))]
MANY = [
    (party, Fault(direction, count))
    for party in PARTIES
    for direction in ("asked", "answered")
    for count in (0, 1, 33, 100, 333, 1000, 2000, 4000, 8000)
]
CASES = [*LOST_ANSWERS, *(MANY if IS_WHOLE else FEW)]


def show(case: tuple[str, Fault]) -> str:
    party, fault = case
    what = fault.word.decode(errors="replace").strip("\0 ") + " lost" if fault.word else f"cut after {fault.bytes}"
    return f"{party} {fault.direction} {what}"


@dataclass
class World:
    """Both databases, both streams, and the proxies between them."""

    pair: ItemPair
    writer: Writer
    proxies: dict[str, Breakable]
    streams: Streaming


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, databases_of_the_module: tuple[str, str]) -> Iterator[World]:
    legacy, modern = databases_of_the_module
    folder = tmp_path_factory.mktemp("faults")
    with (
        item_pair(folder, legacy, modern, BOTH_WAYS) as pair,
        breakable(legacy) as source,
        breakable(modern) as target,
    ):
        pair.legacy.execute("INSERT INTO item SELECT n, 'a', NULL, NULL, 0 FROM generate_series(1, 20) AS n")
        once(pair.routes)
        pair.modern.execute(TALLY)
        routes = routes_for(folder, source.url(legacy), target.url(modern), folder / "mappings")
        with streaming(routes, modern) as streams:
            yield World(pair, Writer(pair.legacy), {"source": source, "target": target}, streams)


@pytest.mark.parametrize("case", CASES, ids=show)
def test_a_connection_breaks(world: World, case: tuple[str, Fault]) -> None:
    party, fault = case
    pair, proxy = world.pair, world.proxies[party]
    proxy.break_once(fault)
    wait_until(lambda: world.writer.write() is None and proxy.has_broken.is_set(), "the connection breaks", 30)
    world.writer.write()
    mark(pair.legacy, pair.modern, f"after {show(case)}")
    assert world.streams.error is None
    assert pair.is_equal()
    assert state(pair.modern).applied_rows == world.writer.changes
    assert rows(pair.modern, "SELECT thing, size FROM tally GROUP BY 1, 2 HAVING count(*) > 1") == []
