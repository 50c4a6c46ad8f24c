"""Ids that belong together in the store: sealed, found by a keyed token, expiring, erasable by data subject.

They are stored with the pairs that taught them, in one transaction, so a comparer that is killed has learned what the
store has counted. They are sealed by the keys of the samples, and where there are none by one that is made of the
installation's redaction key: without that key the store alone tells no id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert  # SQLite understands what it makes

from shadow import tables
from shadow.correspondence import IDS_MAX, Belonging
from shadow.observation import Pair
from shadow.redact import installation_key
from shadow.tally import Judged
from shadow.vault import Sealed, Vault, vault_of

_NEW = insert(tables.belonging).on_conflict_do_nothing()
_EXPIRED = delete(tables.belonging).where(
    tables.belonging.c.capability == bindparam("name"), tables.belonging.c.at < bindparam("before")
)
_NEWEST = (
    select(tables.belonging)
    .where(tables.belonging.c.capability == bindparam("name"), tables.belonging.c.at >= bindparam("since"))
    .order_by(tables.belonging.c.at.desc())
    .limit(IDS_MAX)
)

Learned = tuple[str, Belonging, str]
"""A capability, two of its ids, and the data subject of the pair that taught them."""

_decoder = msgspec.msgpack.Decoder(Belonging)


def learned_of(events: Iterable[Judged]) -> Iterator[Learned]:
    """What a batch of judged pairs has taught."""
    for event, verdict in events:
        if verdict is not None and verdict.learned and isinstance(event, Pair):
            for name, legacy, modern in verdict.learned:
                yield event.capability, Belonging(name, legacy, modern, event.at), event.key or ""


class IdKeeper:
    """Stores what pairs have taught, of the capabilities that `seconds` knows the retention of."""

    def __init__(self, environ: Mapping[str, str], seconds: Callable[[str], float | None]) -> None:
        key = hashlib.sha256(installation_key(environ)).digest()
        own = Vault({"installation": hashlib.blake2b(key=key, person=b"ids", digest_size=32).digest()})
        self._vault = vault_of(environ) or own
        self._token = hashlib.blake2b(key=key, person=b"id tokens", digest_size=16)
        self._seconds = seconds

    def keep(self, connection: Connection, events: Sequence[Judged]) -> None:
        """Add what a batch has taught, in the store's transaction, and forget what is too old."""
        newest: dict[str, float] = {}
        rows = []
        for capability, one, subject in learned_of(events):
            sealed = self._vault.seal(msgspec.msgpack.encode(one), _about(capability))
            rows.append({
                "capability": capability, "legacy": self._token_of(one), "at": one.at, "subject": subject,
                "key_id": sealed.key_id, "sealed": sealed.data,
            })  # fmt: skip
            newest[capability] = max(newest.get(capability, 0.0), one.at)
        if rows:
            connection.execute(_NEW, rows)
        for capability, at in newest.items():
            seconds = self._seconds(capability)
            if seconds is not None:
                connection.execute(_EXPIRED, {"name": capability, "before": at - seconds})

    def read(self, connection: Connection, capability: str, since: float) -> list[Belonging]:
        """What is known of a capability, the oldest first; what was sealed with a key that is gone is not known."""
        found = []
        for row in connection.execute(_NEWEST, {"name": capability, "since": since}).mappings():
            data = self._vault.open(Sealed(row["key_id"], bytes(row["sealed"])), _about(capability))
            if data is not None:
                found.append(_decoder.decode(data))
        return found[::-1]

    def _token_of(self, one: Belonging) -> str:
        state = self._token.copy()
        state.update(f"{one.name}\0{one.legacy}".encode())
        return state.hexdigest()


def erase_ids(connection: Connection, capability: str, subjects: Iterable[str] | None = None) -> None:
    """Erase what was learned from a data subject's pairs, or all of a capability."""
    table = tables.belonging
    erased = delete(table).where(table.c.capability == capability)
    connection.execute(erased if subjects is None else erased.where(table.c.subject.in_(list(subjects))))


def _about(capability: str) -> str:
    return f"ids\0{capability}"
