"""Connections that break between any two parties, also after the work was done, lose nothing and double nothing.

The streams run on. Each fault cuts every connection between two parties, or lets it fall silent without an end; then
they connect anew, everything arrives, and nothing was applied twice. The suite has a few; `make faults` has them all
and prints the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from cdc import connections
from cdc.streaming import stream
from tests.support.breakable import Breakable, Fault, breakable
from tests.support.crashes import IS_WHOLE
from tests.support.item_pair import BOTH_WAYS, ItemPair, item_pair
from tests.support.mapped_pair import routes_for
from tests.support.streams import Streaming, mark, once, rows, state, streaming
from tests.support.tally import TALLY, Writer
from tests.support.waiting import wait_until

PARTIES = ("source", "target")
NOBODY = 9  # a port on which nothing listens
# What the streams do not hear although it was done: the end of a batch, of a COPY, of the start of the stream.
LOST_ANSWERS = [
    ("target", Fault("answered", word=b"COMMIT\0")),
    ("target", Fault("answered", word=b"COPY ")),
    ("target", Fault("answered", word=b"BEGIN\0")),
    ("source", Fault("answered", word=b"strangler.heartbeat")),
]
# What falls silent without an end: an answer that was due, rows in the middle, the stream itself.
SILENCES = [
    ("target", Fault("answered", word=b"COMMIT\0", is_silent=True)),
    ("target", Fault("asked", 700, is_silent=True)),
    ("source", Fault("answered", 700, is_silent=True)),
]
MANY_SILENCES = [
    (party, Fault(direction, count, is_silent=True))
    for party in PARTIES
    for direction in ("asked", "answered")
    for count in (0, 100, 1000, 8000)
]
FEW = [("source", Fault("answered", 700)), ("target", Fault("asked", 700))]
MANY = [
    (party, Fault(direction, count))
    for party in PARTIES
    for direction in ("asked", "answered")
    for count in (0, 1, 33, 100, 333, 1000, 2000, 4000, 8000)
]
CASES = [*LOST_ANSWERS, *SILENCES, *([*MANY, *MANY_SILENCES] if IS_WHOLE else FEW)]


def show(case: tuple[str, Fault]) -> str:
    party, fault = case
    ends = "silent" if fault.is_silent else "lost" if fault.word else "cut"
    what = (
        fault.word.decode(errors="replace").strip("\0 ") + f" {ends}" if fault.word else f"{ends} after {fault.bytes}"
    )
    return f"{party} {fault.direction} {what}"


@contextmanager
def short_silences() -> Iterator[None]:
    """What is ten seconds and more in the product, so that a test need not wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "SILENT_SECONDS", 0.4)
        patch.setattr(stream, "SILENCE_SECONDS_MAX", 0.8)
        patch.setattr(stream, "ASK_SECONDS", 0.2)
        yield


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
        short_silences(),
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


def test_a_target_that_is_at_work_is_waited_for(world: World) -> None:
    pair = world.pair
    before = writers(pair)
    with pair.modern.transaction():
        pair.modern.execute("LOCK TABLE thing IN ACCESS EXCLUSIVE MODE")
        pair.legacy.execute("UPDATE item SET size = size + 1 WHERE id = 1")
        wait_until(lambda: waiting_for_lock(pair) > 3 * connections.SILENT_SECONDS, "the stream waits for the lock", 20)
    mark(pair.legacy, pair.modern, "after the lock")
    assert writers(pair) == before, "it is still the same session"
    assert world.streams.error is None


def test_a_target_that_nobody_can_reach_is_given_up_and_found_again(world: World) -> None:
    pair, proxy = world.pair, world.proxies["target"]
    before = writers(pair)
    port, proxy.port, refused = proxy.port, NOBODY, proxy.refused
    proxy.break_once(Fault("asked", is_silent=True))
    pair.legacy.execute("UPDATE item SET size = size + 1 WHERE id = 1")
    wait_until(lambda: proxy.refused > refused + 1, "the target is asked after and looked for in vain", 20)
    proxy.port = port
    mark(pair.legacy, pair.modern, "back")
    assert writers(pair).isdisjoint(before), "what held the lease was ended, although nothing told it"
    assert pair.is_equal()
    assert world.streams.error is None


def writers(pair: ItemPair) -> set[object]:
    """The sessions that hold the lease of a stream in modern."""
    query = """SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'strangler-sync'"""
    return {row[0] for row in rows(pair.modern, query)}


def waiting_for_lock(pair: ItemPair) -> float:
    """Seconds for which a session of the stream has been waiting for a lock."""
    query = """SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8
        FROM pg_stat_activity WHERE application_name = 'strangler-sync' AND wait_event_type = 'Lock'"""
    return float(str(rows(pair.modern, query)[0][0]))
