"""What differs in a row: its columns, and only where they are asked for the values of both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cdc.verification.verify_sql import Comparison, Key, Side

Both = Callable[[Callable[[Side], tuple[str, dict[str, object]]]], tuple[list[Any], list[Any]]]
Found = Mapping[Key, tuple[object, object]]
Kind = Literal["missing", "extra", "changed"]


@dataclass(frozen=True)
class Detail:
    """One row that differs. `columns` are those of a changed one; `legacy` and `modern` have values if asked for."""

    key: Key
    kind: Kind
    columns: tuple[str, ...] = ()
    legacy: Mapping[str, str | None] | None = None
    modern: Mapping[str, str | None] | None = None


def kind_of(truth: object, follower: object) -> Kind:
    """What a pair of hashes says of the side that follows; None is no row."""
    return "missing" if follower is None else "extra" if truth is None else "changed"


def details_of(
    comparison: Comparison, keys: Sequence[Key], found: Found, both: Both, *, with_values: bool
) -> tuple[Detail, ...]:
    """Look at the rows of these keys once more, column by column."""
    if not keys:
        return ()
    names = [column.name for column in comparison.mapping.columns]
    size = len(comparison.mapping.key)
    sides = both(lambda side: comparison.columns(side, keys, with_values=with_values))
    legacy, modern = ({tuple(row[:size]): row[size:] for row in rows} for rows in sides)
    details = []
    for key in keys:
        ours, theirs = legacy.get(key), modern.get(key)
        differing = tuple(
            name for n, name in enumerate(names) if ours is not None and theirs is not None and ours[n] != theirs[n]
        )
        shown = differing or tuple(names)
        details.append(
            Detail(
                key,
                kind_of(*found[key]),
                differing,
                _values(names, shown, ours) if with_values else None,
                _values(names, shown, theirs) if with_values else None,
            )
        )
    return tuple(details)


def _values(names: Sequence[str], shown: Sequence[str], row: Sequence[Any] | None) -> dict[str, str | None] | None:
    """The texts of some columns; they come behind the columns' hashes."""
    if row is None:
        return None
    return {name: row[len(names) + n] for n, name in enumerate(names) if name in shown}
