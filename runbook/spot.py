"""The quick comparison inside the pause: counts, control totals, and the rows that were touched last.

Everything is read through the mapping, with both databases fenced and drained, so nothing moves meanwhile. Tables up to
TOTALS_BYTES_MAX are counted and summed whole (grouped by columns of type character(3), which is how currency codes
look): 4 MiB are ten milliseconds. Of larger ones only single rows are compared, for a pause may not grow with a bank's
history: those written last, or, above NEWEST_BYTES_MAX, those with the highest keys, which an index finds. The exact
comparison of everything is `strangler sync verify`, and the preflight asks for a recent one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from cdc.mapping import Mapping
from runbook.errors import SpotDifference
from runbook.sides import Side, Sides, table_name
from runbook.stages import Home

TOTALS_BYTES_MAX = 4 << 20
NEWEST_BYTES_MAX = 2 << 20
NEWEST_ROWS = 200
SUMMABLE = re.compile(r"(smallint|integer|bigint|numeric|money)")
GROUPED = "character(3)"

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class _Question:
    """What is asked of both sides about one table; `of_home` and `of_other` are complete statements."""

    table: str
    legacy_totals: sql.Composed | None
    modern_totals: sql.Composed | None
    newest_at_home: sql.Composed
    same_at_other: Callable[[Rows], tuple[sql.Composed, list[object]]]


class SpotCheck:
    """Made before the pause, with every statement ready; `run` is called inside it."""

    def __init__(self, sides: Sides, home: Home) -> None:
        self.sides = sides
        self.home = home
        self._questions = tuple(_question(sides, home, mapping) for mapping in sides.mappings)

    def run(self) -> str:
        """Return what was compared, or raise SpotDifference."""
        home, other = self.sides.at(self.home), self.sides.other(self.home)
        questions = self._questions
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="spot") as at_home:
            # Each side has one connection, and both are busy all the time.
            asking = at_home.submit(lambda: [home.ask(question.newest_at_home) for question in questions])
            counting = at_home.submit(lambda: [self._totals(home, question) for question in questions])
            other_totals = [self._totals(other, question) for question in questions]
            newest = asking.result()
            same = [self._same(other, *one) for one in zip(questions, newest, strict=True)]
            totals = counting.result()
        problems: list[str] = []
        for question, ours, theirs in zip(questions, totals, other_totals, strict=True):
            if ours != theirs:
                problems.append(f"{question.table}: counts or control totals differ")
        for question, wanted, found in zip(questions, newest, same, strict=True):
            if missing := set(wanted) - found:
                problems.append(f"{question.table}: {len(missing)} of the {len(wanted)} rows touched last differ")
        if problems:
            raise SpotDifference(tuple(problems))
        rows = sum(int(row[-1]) for found in totals for row in found or ())
        return f"{rows:,} rows counted and summed on both sides, the {sum(map(len, newest))} touched last equal"

    def _totals(self, side: Side, question: _Question) -> Rows | None:
        statement = question.legacy_totals if side.home == "legacy" else question.modern_totals
        return sorted(side.ask(statement), key=repr) if statement is not None else None

    def _same(self, other: Side, question: _Question, newest: Rows) -> set[tuple[Any, ...]]:
        return set(other.ask(*question.same_at_other(newest))) if newest else set()


def _question(sides: Sides, home: Home, mapping: Mapping) -> _Question:
    flow = mapping if home == "legacy" else mapping.reverse()
    sizes = (_bytes(sides.legacy, mapping.source_table), _bytes(sides.modern, mapping.target_table))
    is_countable = max(sizes) <= TOTALS_BYTES_MAX
    legacy_totals = modern_totals = None
    if is_countable:
        legacy_totals = _totals(mapping, sql.SQL("({})").format(_text(mapping.select())))
        modern_totals = _totals(mapping, table_name(mapping.target_table))
    return _Question(
        mapping.target_table,
        legacy_totals,
        modern_totals,
        _newest(flow, max(sizes) <= NEWEST_BYTES_MAX),
        lambda rows: _same(flow, rows),
    )


def _bytes(side: Side, table: str) -> int:
    return int(side.ask("SELECT pg_relation_size(%s::regclass)", (table_name(table).as_string(side.conn),))[0][0])


def _totals(mapping: Mapping, relation: sql.Composable) -> sql.Composed:
    groups = [column for column in mapping.columns if column.type == GROUPED]
    sums = [c for c in mapping.columns if SUMMABLE.match(c.type) and c.name not in mapping.key]
    names = [sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in groups]
    totals = [sql.SQL("sum({})").format(_typed(column.name, column.type)) for column in sums]
    query = sql.SQL("SELECT {} FROM {} AS whole").format(
        sql.SQL(", ").join([*names, *totals, sql.SQL("count(*)")]), relation
    )
    if not groups:
        return query
    return sql.SQL("{} GROUP BY {}").format(query, sql.SQL(", ").join(_text(str(i + 1)) for i in range(len(groups))))


def _newest(flow: Mapping, by_age: bool) -> sql.Composed:
    """The target's columns, as text, of the rows of the source that were written last.

    By age those with the youngest xmin, which needs a scan; else those with the highest keys.
    """
    keys = [sql.SQL("{} DESC").format(sql.Identifier(name)) for name in flow.source_key]
    order = sql.SQL("age(xmin)") if by_age else sql.SQL(", ").join(keys)
    return sql.SQL(
        "WITH newest AS MATERIALIZED (SELECT * FROM {} ORDER BY {} LIMIT {}) SELECT {} FROM ({}) AS mapped"
    ).format(
        table_name(flow.source_table),
        order,
        sql.Literal(NEWEST_ROWS),
        _texts(flow),
        _text(flow.select("newest")),
    )


def _same(flow: Mapping, rows: Rows) -> tuple[sql.Composed, list[object]]:
    """The rows of the other side that have the keys of these rows."""
    position = {column.name: index for index, column in enumerate(flow.columns)}
    types = {column.name: column.type for column in flow.columns}
    keys = [sql.SQL("{}::text[]::{}[]").format(sql.Placeholder(), _text(_bare(types[name]))) for name in flow.key]
    query = sql.SQL("SELECT {} FROM {} WHERE ({}) IN (SELECT * FROM unnest({}))").format(
        _texts(flow),
        table_name(flow.target_table),
        sql.SQL(", ").join(map(sql.Identifier, flow.key)),
        sql.SQL(", ").join(keys),
    )
    return query, [[row[position[name]] for row in rows] for name in flow.key]


def _bare(type_text: str) -> str:
    """The type without a length: char(10) compares with bpchar keys whatever their length."""
    return "bpchar" if type_text.startswith("character(") else type_text


def _texts(flow: Mapping) -> sql.Composed:
    texts = [sql.SQL("{}::text").format(_typed(column.name, column.type)) for column in flow.columns]
    return sql.SQL(", ").join(texts)


def _typed(name: str, type_text: str) -> sql.Composed:
    # The type's text comes from format_type() of the catalogue, never from a person.
    return sql.SQL("{}::{}").format(sql.Identifier(name), _text(type_text))


def _text(statement: str) -> sql.SQL:
    """SQL that cdc.mapping or the catalogue composed; it is sent without parameters, so a % in it is itself."""
    return sql.SQL(statement)
