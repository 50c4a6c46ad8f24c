"""Rows that differ twice at settled places of the log, by key and column, kept in the target until they agree again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

KEPT_MAX = 10_000  # of one stream; more are counted as one table that differs, for `sync verify` to name
Ident = tuple[str, ...]  # a key of the comparison, its values as texts


@dataclass(frozen=True)
class Difference:
    """One row: what differs, and where in the source's log that was seen."""

    relation: str
    key: Ident
    kind: str
    columns: tuple[str, ...]
    position: str


@dataclass(frozen=True)
class Rechecked:
    """What the re-check of one stream has done; `last` is the newest difference by table, key and column."""

    checked: int = 0
    left_out: int = 0
    differences: int = 0
    last: str | None = None


def read_differences(conn: psycopg.Connection[Any], stream: str) -> dict[str, list[Ident]]:
    """The keys that are known to differ, by table of modern."""
    found: defaultdict[str, list[Ident]] = defaultdict(list)
    for relation, key in conn.execute(
        "SELECT relation, key FROM strangler.difference WHERE stream = %s ORDER BY first_seen", (stream,)
    ):
        found[relation].append(tuple(map(str, key.values())))
    return dict(found)


def keep(conn: psycopg.Connection[Any], stream: str, names: Sequence[str], found: Sequence[Difference]) -> None:
    """Keep rows of one table; `names` are those of its key."""
    for one in found:
        conn.execute(
            "INSERT INTO strangler.difference (stream, relation, key, kind, columns, position) "
            "SELECT %s, %s, %s::json, %s, %s, %s::text::pg_lsn "
            "WHERE (SELECT count(*) FROM strangler.difference WHERE stream = %s) < %s",
            (stream, one.relation, _json(names, one.key), one.kind, list(one.columns), one.position, stream, KEPT_MAX),
        )


def forget(
    conn: psycopg.Connection[Any], stream: str, relation: str, names: Sequence[str], keys: Collection[Ident]
) -> None:
    """These rows agree again."""
    conn.execute(
        "DELETE FROM strangler.difference WHERE stream = %s AND relation = %s AND key::text = ANY(%s)",
        (stream, relation, [_json(names, key) for key in keys]),
    )


def count(conn: psycopg.Connection[Any], stream: str, checked: int, left_out: int) -> None:
    """Add to what was looked at, and to what could not be."""
    conn.execute(
        "INSERT INTO strangler.recheck AS r (stream, checked, left_out) VALUES (%s, %s, %s) ON CONFLICT (stream) "
        "DO UPDATE SET checked = r.checked + excluded.checked, left_out = r.left_out + excluded.left_out, at = now()",
        (stream, checked, left_out),
    )


def read_rechecked(conn: psycopg.Connection[Any], stream: str) -> Rechecked:
    """What the re-check of a stream has done so far; nothing where it never ran."""
    if conn.execute("SELECT to_regclass('strangler.recheck')").fetchone() == (None,):
        return Rechecked()
    row = conn.execute(
        "SELECT coalesce(max(r.checked), 0), coalesce(max(r.left_out), 0), count(d.stream), "
        "(SELECT concat_ws(' ', relation, key::text, kind, array_to_string(columns, ', ')) FROM strangler.difference "
        "WHERE stream = %s ORDER BY first_seen DESC LIMIT 1) FROM (SELECT) AS one "
        "LEFT JOIN strangler.recheck AS r ON r.stream = %s LEFT JOIN strangler.difference AS d ON d.stream = %s",
        (stream, stream, stream),
    ).fetchone()
    return Rechecked(*row) if row else Rechecked()


def _json(names: Sequence[str], key: Ident) -> str:
    return json.dumps(dict(zip(names, key, strict=True)))
