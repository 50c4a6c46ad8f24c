"""What the comparer has learned: added batch by batch, read by anyone while it is being written.

One process writes (the comparer; a runbook resets a capability before a shadow run), any number read, and each reader
sees one moment (`shadow/engine.py`). `record` is one transaction: after a crash a batch is there as a whole or not at
all, so the accounting adds up at every moment. Nothing is kept in memory between batches.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert  # SQLite understands what it makes
from sqlalchemy.event import listen

from shadow import tables
from shadow.clusters import add_clusters
from shadow.correspondence import Belonging
from shadow.engine import Place, StoreDown, Transaction, engine_of
from shadow.id_keeper import IdKeeper, erase_ids
from shadow.keeper import Keeper, Kept, erase_subject, forget_kept, read_captures, read_kept, seen_counts
from shadow.paired import add_times
from shadow.reading import read_capabilities, read_summary
from shadow.recording import Recorded
from shadow.summary import Summary
from shadow.tally import Batch, CapabilityTally, Judged, Progress, RouteTally
from shadow.timeline import add_instants
from shadow.upserts import upsert
from shadow.vault import Vault

MISMATCHING_KEYS_EXTRA_MAX = 100_000
DETAILS_MAX = 64
SOURCE_SECONDS_KEPT = 7 * 86400.0
WHOLE_CAPABILITY = ""
__all__ = ["Store", "StoreDown"]

_RUN = insert(tables.run)
_NEW_RUN = _RUN.on_conflict_do_nothing()
_RUN_GOES_ON = (
    update(tables.run)
    .where(tables.run.c.capability == bindparam("name"), tables.run.c.last_at < bindparam("at"))
    .values(last_at=bindparam("at"))
)
_SCOPE = select(tables.scope.c.id).where(
    tables.scope.c.capability == bindparam("capability"), tables.scope.c.route == bindparam("route")
)
_NEW_SCOPE = insert(tables.scope).returning(tables.scope.c.id)
_KNOWN_COUNTS = select(tables.counter.c.what, tables.counter.c.detail).where(
    tables.counter.c.scope_id == bindparam("scope_id")
)
_ADD_COUNTS = upsert(tables.counter, add=("count",))
_KEYS_HELD = select(tables.scope.c.distinct_keys).where(tables.scope.c.id == bindparam("scope_id"))
_NEW_KEYS = insert(tables.seen_key).on_conflict_do_nothing()
_TURN = (
    update(tables.seen_key)
    .where(
        tables.seen_key.c.scope_id == bindparam("scope"),
        tables.seen_key.c.key == bindparam("which"),
        ~tables.seen_key.c.mismatched,
    )
    .values(mismatched=True)
)
_ADD_TO_SCOPE = (
    update(tables.scope)
    .where(tables.scope.c.id == bindparam("scope_id"))
    .values(
        distinct_keys=tables.scope.c.distinct_keys + bindparam("added"),
        keys_mismatched=tables.scope.c.keys_mismatched + bindparam("turned"),
    )
)
_PUT_SOURCES = upsert(tables.source, put=("stored", "counted", "at"))
_FORGET_SOURCES = delete(tables.source).where(tables.source.c.at < bindparam("before"))
_STORED = select(tables.source.c.stored, tables.source.c.counted).where(tables.source.c.worker == bindparam("which"))


class Store:
    """The comparison's file or database; its tables are made where they are missing. Raises StoreDown."""

    def __init__(
        self,
        place: Place,
        *,
        seed: int | None = None,
        keeper: Keeper | None = None,
        give_way: Callable[[], None] | None = None,
    ) -> None:
        """`give_way` is called before each statement: whoever shares the processor with us need not wait for all."""
        self.place = place
        self.keeper = keeper
        self.id_keeper: IdKeeper | None = None
        self._random = random.Random(seed)  # noqa: S311 - chooses samples, protects nothing
        self._engine = engine_of(place)
        if give_way is not None:
            listen(self._engine, "before_cursor_execute", lambda *_: give_way())

    def record(self, batch: Batch | Sequence[Judged], stored: Mapping[str, Progress] | None = None) -> None:
        """Add a batch, or events that become one, each pair with its verdict, in one transaction. `stored` says for
        each worker how far its events are stored with these. Raises StoreDown."""
        if not isinstance(batch, Batch):
            batch = Batch(batch)
        with self._writing() as connection:
            for capability, sums in batch.capabilities.items():
                self._add_capability(connection, capability, sums)
            if self.keeper is not None:
                self.keeper.keep(connection, batch.events)
            if self.id_keeper is not None:
                self.id_keeper.keep(connection, batch.events)
            if stored:
                at = max((event.at for event, _ in batch.events), default=0.0)
                rows = [_source(worker, progress, at) for worker, progress in stored.items()]
                connection.execute(_PUT_SOURCES, rows)
                connection.execute(_FORGET_SOURCES, {"before": at - SOURCE_SECONDS_KEPT})

    def stored_of(self, worker: str) -> Progress:
        """How far the events of that worker are stored. Raises StoreDown."""
        with self._reading() as connection:
            row = connection.execute(_STORED, {"which": worker}).first()
        if row is None:
            return Progress()
        return Progress(int(row.stored), {(name, route): count for name, route, count in json.loads(row.counted)})

    def ids_of(self, capability: str, since: float) -> list[Belonging]:
        """The ids of a capability that are known to belong together, the oldest first. Raises StoreDown."""
        if self.id_keeper is None:
            return []
        with self._reading() as connection:
            return self.id_keeper.read(connection, capability, since)

    def kept(self, capability: str, vault: Vault) -> tuple[list[Kept | None], dict[tuple[str, str], int]]:
        """The stored pairs of a capability (None for each whose key is gone), and how many each sample stands for."""
        with self._reading() as connection:
            return list(read_kept(connection, capability, vault)), seen_counts(connection, capability)

    def captures(self, capability: str, vault: Vault) -> list[Recorded | None]:
        """The stored reads of a capability, to be replayed; None for each whose key is gone. Raises StoreDown."""
        with self._reading() as connection:
            return list(read_captures(connection, capability, vault))

    def erase(self, capability: str, subjects: Sequence[str]) -> int:
        """Erase what is stored of a data subject; how many pairs that were."""
        with self._writing() as connection:
            erase_ids(connection, capability, subjects)
            return erase_subject(connection, capability, subjects)

    def reset(self, capability: str, at: float) -> None:
        """Forget everything about a capability: a shadow run begins at that time."""
        with self._writing() as connection:
            _forget(connection, capability)
            connection.execute(_RUN, _run(capability, at))

    def summary(self, capability: str) -> Summary:
        """What is known about a capability, all of it at one moment. Raises StoreDown."""
        with self._reading() as connection:
            return read_summary(connection, capability)

    def capabilities(self) -> tuple[str, ...]:
        """The capabilities that anything is known about."""
        with self._reading() as connection:
            return read_capabilities(connection)

    def close(self) -> None:
        """Give the file free."""
        self._engine.dispose()

    def _writing(self) -> Transaction:
        return Transaction(self._engine, self.place, writes=True)

    def _reading(self) -> Transaction:
        return Transaction(self._engine, self.place, writes=False)

    def _add_capability(self, connection: Connection, capability: str, sums: CapabilityTally) -> None:
        first = sums.first_at if sums.last_at else 0.0
        connection.execute(_NEW_RUN, _run(capability, first))
        connection.execute(_RUN_GOES_ON, {"name": capability, "at": sums.last_at})
        for name, route in sums.routes.items():
            self._add_route(connection, _scope_id(connection, capability, name), route)
        whole_id = _scope_id(connection, capability, WHOLE_CAPABILITY)
        add_times(connection, whole_id, sums.times(), self._random)
        instants = [instant for route in sums.routes.values() for instant in route.instants]
        add_instants(connection, capability, instants, _add_keys(connection, whole_id, sums.keys()))

    def _add_route(self, connection: Connection, scope_id: int, route: RouteTally) -> None:
        _add_counts(connection, scope_id, route)
        _add_keys(connection, scope_id, route.keys)
        add_clusters(connection, scope_id, route.clusters, self._random)
        add_times(connection, scope_id, route.times, self._random)


def _source(worker: str, progress: Progress, at: float) -> dict[str, object]:
    counted = json.dumps([(*place, count) for place, count in progress.counted.items()])
    return {"worker": worker, "stored": progress.number, "counted": counted, "at": at}


def _run(capability: str, at: float) -> dict[str, object]:
    return {"capability": capability, "started_at": at, "last_at": at, "moment_seconds": 1.0}


def _forget(connection: Connection, capability: str) -> None:
    scopes = select(tables.scope.c.id).where(tables.scope.c.capability == capability)
    clusters = select(tables.cluster.c.id).where(tables.cluster.c.scope_id.in_(scopes))
    connection.execute(delete(tables.sample).where(tables.sample.c.cluster_id.in_(clusters)))
    for table in (tables.counter, tables.seen_key, tables.cluster, tables.latency, tables.latency_sample):
        connection.execute(delete(table).where(table.c.scope_id.in_(scopes)))
    forget_kept(connection, capability)
    erase_ids(connection, capability)
    for table in (tables.scope, tables.run, tables.moment):
        connection.execute(delete(table).where(table.c.capability == capability))


def _scope_id(connection: Connection, capability: str, route: str) -> int:
    place = {"capability": capability, "route": route}
    found = connection.execute(_SCOPE, place).scalar()
    if found is None:
        found = connection.execute(_NEW_SCOPE, {**place, "distinct_keys": 0, "keys_mismatched": 0}).scalar_one()
    return int(found)


def _add_counts(connection: Connection, scope_id: int, route: RouteTally) -> None:
    known = {(what, detail) for what, detail in connection.execute(_KNOWN_COUNTS, {"scope_id": scope_id})}
    sums: dict[tuple[str, str], int] = {}
    for (what, detail), count in route.counts.items():
        place = (what, detail)
        if place not in known and sum(kind == what for kind, _ in known) >= DETAILS_MAX:
            place = (what, "other")
        known.add(place)
        sums[place] = sums.get(place, 0) + count
    rows = [{"scope_id": scope_id, "what": what, "detail": detail, "count": n} for (what, detail), n in sums.items()]
    connection.execute(_ADD_COUNTS, rows)


def _add_keys(connection: Connection, scope_id: int, keys: dict[int, bool]) -> int:
    """Add keys up to the maximum and return how many were new. Mismatching keys have some room beyond it."""
    held = connection.execute(_KEYS_HELD, {"scope_id": scope_id}).scalar_one()
    agreeing = [key for key, mismatched in keys.items() if not mismatched][: max(0, tables.KEYS_MAX - held)]
    bad = [key for key, mismatched in keys.items() if mismatched]
    room = max(0, tables.KEYS_MAX + MISMATCHING_KEYS_EXTRA_MAX - held - len(agreeing))
    rows = [{"scope_id": scope_id, "key": key, "mismatched": False} for key in (*agreeing, *bad[:room])]
    added = connection.execute(_NEW_KEYS, rows).rowcount if rows else 0
    turning = [{"scope": scope_id, "which": key} for key in bad]
    turned = connection.execute(_TURN, turning).rowcount if turning else 0
    if added or turned:
        connection.execute(_ADD_TO_SCOPE, {"scope_id": scope_id, "added": added, "turned": turned})
    return added
