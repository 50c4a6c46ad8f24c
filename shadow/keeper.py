"""Stored pairs and reads: a uniform sample of each route and verdict, sealed, bounded, expiring, erasable by subject.

The sample is a reservoir for each route and verdict, so that rare verdicts are there beside frequent ones. A pair's
subject is the token of its canary key, which the gateway made; whoever has the customer's key can make it again and
have all that is stored of that customer erased.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, delete, select

from shadow import tables
from shadow.clusters import reservoir_slots
from shadow.compare import Verdict
from shadow.observation import Pair
from shadow.recording import Recorded
from shadow.redact import Redactor, installed
from shadow.snapshot import Reading, Snapshot, read_snapshot, snapshot
from shadow.tally import Judged
from shadow.upserts import upsert
from shadow.vault import Sealed, Vault

CAPTURED = "captured"
"""Stands for the verdict of what is no pair, but a read that was kept to be replayed."""

_PUT = upsert(tables.kept, put=("at", "subject", "key_id", "sealed"))
_COUNT = upsert(tables.kept_count, add=("seen",)).returning(tables.kept_count.c.seen)
_EXPIRED = delete(tables.kept).where(
    tables.kept.c.capability == bindparam("name"), tables.kept.c.at < bindparam("before")
)

_recorded = msgspec.json.Decoder(Recorded)
_log = structlog.get_logger()


@dataclass(frozen=True)
class Keeping:
    """How pairs of one route are kept: how many of each verdict, for how long, and how its answers are read; and how
    many of its reads."""

    pairs_max: int
    seconds: float
    reading: Reading
    captures_max: int = 0


@dataclass(frozen=True)
class Kept:
    """A stored pair that could be opened."""

    route: str
    verdict: str
    snapshot: Snapshot


class Keeper:
    """Stores pairs of the routes that `keeping` knows; the clock is the pairs' own."""

    def __init__(
        self,
        vault: Vault,
        keeping: Callable[[str], Keeping | None],
        redactor: Redactor | None = None,
        seed: int | None = None,
    ) -> None:
        self._vault, self._keeping = vault, keeping
        self._redactor = redactor or installed()
        self._random = random.Random(seed)  # noqa: S311 - chooses samples, protects nothing

    def keep(self, connection: Connection, events: Sequence[Judged]) -> None:
        """Add a batch, in the store's transaction."""
        groups: dict[tuple[str, str, str], list[tuple[Pair, Verdict]]] = {}
        for event, verdict in events:
            if isinstance(event, Pair) and verdict is not None:
                kind = "race" if verdict.race else verdict.kind
                groups.setdefault((event.capability, event.route, kind), []).append((event, verdict))
                if event.asked is not None:
                    groups.setdefault((event.capability, event.route, CAPTURED), []).append((event, verdict))
        for place, pairs in groups.items():
            keeping = self._keeping(place[1])
            if keeping is not None:
                self._keep_group(connection, place, pairs, keeping)

    def _keep_group(
        self, connection: Connection, place: tuple[str, str, str], pairs: list[tuple[Pair, Verdict]], keeping: Keeping
    ) -> None:
        most = keeping.captures_max if place[2] == CAPTURED else keeping.pairs_max
        if not most:
            return
        where = dict(zip(("capability", "route", "verdict"), place, strict=True))
        seen = connection.execute(_COUNT, {**where, "seen": len(pairs)}).scalar_one() - len(pairs)
        chosen = reservoir_slots(seen, len(pairs), most, self._random)
        rows = []
        for slot, index in chosen.items():
            sealed = self._sealed(place, *pairs[index], keeping)
            if sealed is not None:
                pair = pairs[index][0]
                rows.append({
                    **where, "slot": slot, "at": pair.at, "subject": pair.key or "", "key_id": sealed.key_id,
                    "sealed": sealed.data,
                })  # fmt: skip
        if rows:
            connection.execute(_PUT, rows)
        newest = max(pair.at for pair, _ in pairs)
        connection.execute(_EXPIRED, {"name": place[0], "before": newest - keeping.seconds})

    def _sealed(self, place: tuple[str, str, str], pair: Pair, verdict: Verdict, keeping: Keeping) -> Sealed | None:
        if place[2] == CAPTURED:
            return self._vault.seal(_captured(pair), about_of(*place))
        try:
            data = snapshot(pair, verdict, keeping.reading, self._redactor)
        except Exception as error:  # noqa: BLE001 - what cannot be redacted is not stored, and the comparison goes on
            _log.error("comparer.pair_not_kept", route=place[1], error=type(error).__name__)
            return None
        return self._vault.seal(data, about_of(*place)) if data is not None else None


def _captured(pair: Pair) -> bytes:
    asked = pair.asked
    return msgspec.json.encode(Recorded("capture", pair.method, asked.target, asked.headers) if asked else None)


def about_of(capability: str, route: str, verdict: str) -> str:
    """What a stored pair belongs to: it cannot be opened as one of another route."""
    return "\0".join((capability, route, verdict))


def read_kept(connection: Connection, capability: str, vault: Vault) -> Iterator[Kept | None]:
    """The stored pairs of a capability; None for each that cannot be opened, because its key is gone."""
    for row, data in _opened(connection, capability, vault, tables.kept.c.verdict != CAPTURED):
        yield None if data is None else Kept(row["route"], row["verdict"], read_snapshot(data))


def read_captures(connection: Connection, capability: str, vault: Vault) -> Iterator[Recorded | None]:
    """The stored reads of a capability, by route and in the order in which they came; None as above."""
    for _, data in _opened(connection, capability, vault, tables.kept.c.verdict == CAPTURED):
        yield None if data is None else _recorded.decode(data)


def _opened(
    connection: Connection, capability: str, vault: Vault, which: ColumnElement[bool]
) -> Iterator[tuple[RowMapping, bytes | None]]:
    rows = connection.execute(
        select(tables.kept)
        .where(tables.kept.c.capability == capability, which)
        .order_by(tables.kept.c.route, tables.kept.c.at)
    )
    for row in rows.mappings():
        sealed = Sealed(row["key_id"], bytes(row["sealed"]))
        yield row, vault.open(sealed, about_of(row["capability"], row["route"], row["verdict"]))


def seen_counts(connection: Connection, capability: str) -> dict[tuple[str, str], int]:
    """How many pairs of each route and verdict the samples were taken from."""
    table = tables.kept_count
    rows = connection.execute(select(table).where(table.c.capability == capability, table.c.verdict != CAPTURED))
    return {(row["route"], row["verdict"]): row["seen"] for row in rows.mappings()}


def erase_subject(connection: Connection, capability: str, subjects: Iterable[str]) -> int:
    """Erase what is stored of a data subject; how many pairs that were."""
    table = tables.kept
    erased = delete(table).where(table.c.capability == capability, table.c.subject.in_(list(subjects)))
    return int(connection.execute(erased).rowcount)


def forget_kept(connection: Connection, capability: str) -> None:
    """Erase everything that is stored of a capability's pairs."""
    for table in (tables.kept, tables.kept_count):
        connection.execute(delete(table).where(table.c.capability == capability))
