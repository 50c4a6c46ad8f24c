"""SQL of a verification: both sides of one mapping as rows of (key, hash), aggregated by range, by bucket, or listed.

The hash is hash_record_extended of the target's columns: it is computed in the databases, and equal for values that are
equal though written differently (1.50 and 1.5, char(n) with and without its blanks). Types without a hash are compared
by their text.
"""

# ruff: noqa: S608 - statements are made of quoted names of both catalogues; every value is a parameter

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cdc.mapping import Mapping, TargetColumn
from cdc.sql_types import parse_type, quoted, quoted_table
from cdc.statements import wide

Statement = tuple[str, dict[str, object]]
Side = Literal["legacy", "modern"]
Key = tuple[object, ...]
BUCKETS = 1024
_NO_HASH = ("json", "xml", "point", "box", "path", "polygon", "circle", "line", "lseg", "money", "bit", "bit varying")
_CURRENCY = ("currency", "ccy", "currency_code")


@dataclass(frozen=True)
class Range:
    """A half-open range of the key's first column; None is no bound."""

    low: object = None
    high: object = None


@dataclass(frozen=True)
class Comparison:
    """The statements of one mapping; every one gives the same columns on both sides."""

    mapping: Mapping

    @property
    def key_types(self) -> tuple[str, ...]:
        """The types of the key's columns."""
        types = {column.name: column.type for column in self.mapping.columns}
        return tuple(types[name] for name in self.mapping.key)

    @property
    def can_be_ranged(self) -> bool:
        """Whether both sides can find a range of the key by their index: its first column is the source's own."""
        first = self._column(self.mapping.key[0])
        return first.sources[:1] == self.mapping.source_key[:1] and first.expression == quoted(first.sources[0])

    @property
    def has_own_key(self) -> bool:
        """Whether the key is made of the source's key alone, so that a change in the log tells it."""
        return all(set(self._column(name).sources) <= set(self.mapping.source_key) for name in self.mapping.key)

    def bound(self, side: Side) -> str:
        """The first key that many rows after another one: parameters low, rows."""
        name, table, low = self._first(side)
        return _finished(
            f"SELECT {name} FROM {table} WHERE {low} IS NULL OR {name} >= {low} "
            f"ORDER BY {name} OFFSET {_parameter('rows')} LIMIT 1"
        )

    def next_value(self, side: Side) -> str:
        """The next value of the key's first column: parameter low."""
        name, table, low = self._first(side)
        return _finished(f"SELECT {name} FROM {table} WHERE {name} > {low} ORDER BY {name} LIMIT 1")

    def sums(self, side: Side, part: Range) -> Statement:
        """count(*) and the sum of the hashes of a range."""
        rows, parameters = self._rows(side, part)
        return _finished(f"SELECT count(*), coalesce(sum({self._hash}), 0) FROM ({rows}) AS m"), parameters

    def sums_of(self, side: Side, part: Range, keys: Sequence[Key]) -> Statement:
        """The same of some keys' rows in that range, found by the primary key's index."""
        rows, parameters = self._rows(side, part, keys)
        return _finished(f"SELECT count(*), coalesce(sum({self._hash}), 0) FROM ({rows}) AS m"), parameters

    def count(self, side: Side, keys: Sequence[Key] | None = None) -> Statement:
        """The number of rows and the sum of their keys' hashes; of some keys only, if they are given."""
        rows, parameters = self._rows(side, Range(), keys)
        return _finished(f"SELECT count(*), coalesce(sum({self._key_hash}), 0) FROM ({rows}) AS m"), parameters

    def keyed(self, side: Side, keys: Sequence[tuple[str, ...]]) -> Statement:
        """The keys of that side's own table, whose values are given as texts, as the comparison has them."""
        if side == "legacy":
            types = {column.name: column.type for column in self.mapping.reads}
            own = [(name, types[name]) for name in self.mapping.source_key]
        else:
            own = list(zip(self.mapping.key, self.key_types, strict=True))
        arrays = ", ".join(f"{_parameter(f'k{n}')}::text[]::{kind}[]" for n, (_, kind) in enumerate(own))
        names = ", ".join(quoted(name) for name, _ in own)
        rows = f"(SELECT * FROM unnest({arrays}) AS k({names})) AS s"
        text = self.mapping.select_keys(rows, "true") if side == "legacy" else f"SELECT {self._key} FROM {rows}"
        return _finished(text), {f"k{n}": [key[n] for key in keys] for n in range(len(own))}

    def touched(self, side: Side, xid: int, most: int) -> Statement:
        """Keys of rows that a transaction wrote which is not older than one; of legacy also of rows left out."""
        table = quoted_table(self.mapping.target_table if side == "modern" else self.mapping.source_table)
        rows = f"(SELECT * FROM {table} WHERE age(xmin) <= age({_parameter('xid')}::text::xid)) AS s"
        keys = f"SELECT {self._key} FROM {rows}" if side == "modern" else self.mapping.select_keys(rows, "true")
        return _finished(f"{keys} LIMIT {_parameter('most')}"), {"xid": xid % (1 << 32), "most": most}

    def buckets(self, side: Side, part: Range) -> Statement:
        """The same by bucket, a small number made of the key."""
        rows, parameters = self._rows(side, part)
        text = f"SELECT {self._bucket}, count(*), sum({self._hash}) FROM ({rows}) AS m GROUP BY 1"
        return _finished(text), parameters

    def keys(self, side: Side, part: Range, buckets: Sequence[int]) -> Statement:
        """Every key and hash of some buckets of a range."""
        rows, parameters = self._rows(side, part)
        text = (
            f"SELECT {self._hash}, {self._key} FROM ({rows}) AS m WHERE {self._bucket} = ANY({_parameter('buckets')})"
        )
        return _finished(text), parameters | {"buckets": list(buckets)}

    def range_of(self, part: Range) -> Statement:
        """What legacy has in a range, in the types of the target."""
        rows, parameters = self._rows("legacy", part)
        outputs = ", ".join(f"{quoted(one.name)}::{wide(one.type)}" for one in self.mapping.columns)
        return _finished(f"SELECT {outputs} FROM ({rows}) AS m"), parameters

    def is_in(self, part: Range) -> Statement:
        """Whether a row of the target is in a range."""
        first = self._column(self.mapping.key[0])
        tests, parameters = _tests(quoted(first.name), first.type, part)
        return _finished(" AND ".join(tests) or "true"), parameters

    def rows_of(self, side: Side, keys: Sequence[Key], mapping: Mapping) -> Statement:
        """What `mapping`, from that side, gives for some keys (of the forward mapping), in the types of its target."""
        inner, parameters = self._source_rows(side, keys)
        outputs = ", ".join(f"{quoted(one.name)}::{wide(one.type)}" for one in mapping.columns)
        return _finished(f"SELECT {outputs} FROM ({mapping.select(inner)}) AS m"), parameters

    def keys_of(self, side: Side, keys: Sequence[Key], mapping: Mapping) -> Statement:
        """The same keys as the target of `mapping`, into which that side flows, has them."""
        wanted, parameters = self._wanted(keys)
        types = {column.name: wide(column.type) for column in mapping.columns}
        named = self._back if side == "modern" else {name: quoted(name) for name in self.mapping.key}
        outputs = ", ".join(f"{named[name]}::{types[name]} AS {quoted(name)}" for name in mapping.key)
        return _finished(f"SELECT {outputs} FROM {wanted}"), parameters

    def again(self, side: Side, keys: Sequence[Key]) -> Statement:
        """Keys and hashes of some keys, found by the primary key's index on both sides."""
        inner, parameters = self._source_rows(side, keys)
        rows = self.mapping.select(inner) if side == "legacy" else f"SELECT {self._modern} FROM {inner}"
        return _finished(f"SELECT {self._hash}, {self._key} FROM ({rows}) AS m"), parameters

    def columns(self, side: Side, keys: Sequence[Key], *, with_values: bool) -> Statement:
        """Of some keys: the key, a hash of every column and, if asked for, every column's text."""
        inner, parameters = self._source_rows(side, keys)
        rows = self.mapping.select(inner) if side == "legacy" else f"SELECT {self._modern} FROM {inner}"
        outputs = [f"hash_record_extended(ROW({value}), 1)" for value in self._values]
        if with_values:
            outputs += [f"{quoted(column.name)}::text" for column in self.mapping.columns]
        return _finished(f"SELECT {self._key}, {', '.join(outputs)} FROM ({rows}) AS m"), parameters

    @property
    def money(self) -> tuple[str, ...]:
        """The columns of money: exact numbers that are not in the key."""
        kinds = {column.name: parse_type(column.type) for column in self.mapping.columns}
        return tuple(name for name, kind in kinds.items() if kind.base == "numeric" and name not in self.mapping.key)

    def totals(self, side: Side, without: Sequence[Key] = ()) -> Statement:
        """The sums of the columns of money by currency, of all rows but those of some keys."""
        names = {column.name for column in self.mapping.columns}
        currency = next((name for name in _CURRENCY if name in names), None)
        rows, parameters = self._rows(side, Range())
        where = ""
        if without:
            wanted, of_keys = self._wanted(without)
            where = f" WHERE ({self._key}) NOT IN (SELECT {self._key} FROM {wanted})"
            parameters |= of_keys
        group = quoted(currency) + "::text" if currency else "NULL::text"
        sums = ", ".join(f"coalesce(sum({quoted(name)}), 0)" for name in self.money)
        return _finished(f"SELECT {group}, {sums} FROM ({rows}) AS m{where} GROUP BY 1 ORDER BY 1"), parameters

    def _first(self, side: Side) -> tuple[str, str, str]:
        """The key's first column on a side, that side's table, and the parameter that is a value of the column."""
        first = self._column(self.mapping.key[0])
        low = f"{_parameter('low')}::{self.key_types[0]}"
        if side == "legacy":
            return first.expression, quoted_table(self.mapping.source_table), low
        return quoted(first.name), quoted_table(self.mapping.target_table), low

    def _rows(self, side: Side, part: Range, keys: Sequence[Key] | None = None) -> Statement:
        """What a side has in a range; only the rows of some keys, if they are given."""
        first = self._column(self.mapping.key[0])
        name = quoted(first.name) if side == "modern" else first.expression
        tests, parameters = _tests(name, first.type, part)
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        table = quoted_table(self.mapping.target_table if side == "modern" else self.mapping.source_table)
        if keys is not None:
            table, of_keys = self._source_rows(side, keys)
            parameters |= of_keys
        if side == "modern":
            return f"SELECT {self._modern} FROM {table}{where}", parameters
        inner = f"(SELECT * FROM {table}{where}) AS s" if tests or keys is not None else None
        return self.mapping.select(inner), parameters

    def _source_rows(self, side: Side, keys: Sequence[Key]) -> Statement:
        """A relation of that side's own rows with these keys."""
        wanted, parameters = self._wanted(keys)
        if side == "modern":
            name, own, as_wanted = self.mapping.target_table, self._key, self._key
        else:
            name, own = self.mapping.source_table, ", ".join(map(quoted, self.mapping.source_key))
            as_wanted = ", ".join(self._back[column] for column in self.mapping.source_key)
        rows = f"SELECT * FROM {quoted_table(name)} WHERE ({own}) IN (SELECT {as_wanted} FROM {wanted})"
        return f"({rows}) AS s", parameters

    def _wanted(self, keys: Sequence[Key]) -> Statement:
        """A relation of these keys, named as the target's columns."""
        named = [f"{_parameter(f'k{n}')}::{kind}[]" for n, kind in enumerate(self.key_types)]
        parameters: dict[str, object] = {f"k{n}": [key[n] for key in keys] for n in range(len(self.mapping.key))}
        return f"unnest({', '.join(named)}) AS k({', '.join(map(quoted, self.mapping.key))})", parameters

    @property
    def _modern(self) -> str:
        """The target's own columns, a residue as what it stands for beside the value of today."""
        named = [(quoted(column.name), column.stands) for column in self.mapping.columns]
        return ", ".join(f"{stands} AS {name}" if stands else name for name, stands in named)

    @property
    def _key(self) -> str:
        return ", ".join(quoted(name) for name in self.mapping.key)

    @property
    def _back(self) -> dict[str, str]:
        """The columns of the source's key, each from the target's key."""
        types = {column.name: column.type for column in self.mapping.reads}
        inverse = {
            column.sources[0]: column.inverse
            for column in reversed(self.mapping.columns)
            if column.name in self.mapping.key and column.inverse is not None
        }
        return {name: f"CAST({inverse[name]} AS {types[name]})" for name in self.mapping.source_key}

    @property
    def _values(self) -> list[str]:
        """Every column as it can be hashed."""
        return [
            f"{quoted(column.name)}::text" if column.type.startswith(_NO_HASH) else quoted(column.name)
            for column in self.mapping.columns
        ]

    @property
    def _hash(self) -> str:
        # A record's hash is linear in those of its values, so two rows that swap a value would keep their sum: the key
        # is the seed of every value.
        return f"hash_record_extended(ROW({', '.join(self._values)}), {self._key_hash})"

    @property
    def _key_hash(self) -> str:
        return f"hash_record_extended(ROW({self._key}), 1)"

    @property
    def _bucket(self) -> str:
        return f"({self._key_hash} & {BUCKETS - 1})::int"

    def _column(self, name: str) -> TargetColumn:
        return next(column for column in self.mapping.columns if column.name == name)


def _tests(name: str, type_: str, part: Range) -> tuple[list[str], dict[str, object]]:
    """What holds of a key's first column in a range."""
    tests: list[str] = []
    parameters: dict[str, object] = {}
    for sign, bound, word in ((">=", part.low, "low"), ("<", part.high, "high")):
        if bound is not None:
            tests.append(f"{name} {sign} {_parameter(word)}::{type_}")
            parameters[word] = bound
    return tests, parameters


def _parameter(name: str) -> str:
    return f"\0{name}\0"


def _finished(text: str) -> str:
    """Literals of a mapping may hold percent signs, which psycopg would take for its own."""
    return re.sub("\0(\\w+)\0", r"%(\1)s", text.replace("%", "%%"))
