"""What pairs of answers have taught the comparer about ids: read from the store, added to, told to the workers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from shadow.correspondence import Belonging, Correspondence, Told, told
from shadow.id_keeper import IdKeeper, learned_of
from shadow.store import Store
from shadow.tally import Judged

_encoder = msgspec.msgpack.Encoder()


class Learning:
    """The ids of every capability that has a rule for them; the judge adds to them pair by pair."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids: Mapping[str, Correspondence] = {}

    def cover(self, wanted: Mapping[str, Correspondence], unstored: Iterable[Judged]) -> None:
        """Fill those of a new table with what the store knows, and what is not stored yet. Raises StoreDown."""
        if wanted:
            retention = {name: ids.seconds for name, ids in wanted.items()}
            self._store.id_keeper = IdKeeper(os.environ, retention.get)
        now = datetime.now(UTC).timestamp()
        for name, ids in wanted.items():
            ids.put(self._store.ids_of(name, now - ids.seconds))
        for name, learned in _by_capability(unstored).items():
            if name in wanted:
                wanted[name].put(learned)
        self._ids = wanted

    def everything(self) -> Iterator[bytes]:
        """What a worker is told when it comes."""
        for name, ids in self._ids.items():
            yield from _pieces(told(name, ids))

    def news(self, stored: Iterable[Judged]) -> Iterator[bytes]:
        """What all workers are told when a batch is stored."""
        for name, learned in _by_capability(stored).items():
            if name in self._ids:
                yield from _pieces(told(name, self._ids[name], learned))


def _by_capability(events: Iterable[Judged]) -> dict[str, list[Belonging]]:
    found: dict[str, list[Belonging]] = {}
    for capability, one, _ in learned_of(events):
        found.setdefault(capability, []).append(one)
    return found


def _pieces(said: Iterable[Told]) -> Iterator[bytes]:
    return map(_encoder.encode, said)
