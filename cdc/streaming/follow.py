"""What a changed row of a reference table means for the rows that looked it up: noted before it, derived anew after it.

Pure. The target does not have the source's rows, and asking the source would give values of another position. But a row
of the target says which code it was made of (a rule of the mapping engine), so the order inside of a part is

    note      the rows of the target whose code is about to change, with the source's columns that they give back
    change    the reference's rows
    derive    what was looked up, of the noted rows, where it differs
    change    all other rows: those that were noted and come with the same part end as they come

Where a foreign key of the source promises a row for every code, no row that stays uses one that comes or goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from psycopg import sql

from cdc.mapping import LookedUp
from cdc.sql_types import quoted, quoted_table
from cdc.statements import Statements, row_of, table, trusted
from cdc.streaming.script import Step

Changed = tuple[Statements, Collection[str] | None]
"""A reference, and the staging tables of it that hold rows; None if the whole table is emptied."""
_OF_ENFORCED = {"changed", "partial"}
_SAYS_THE_KEY = ("changed", "inserted", "partial")


class Followers:
    """The mappings of one stream that look rows up, by the reference's table in the source."""

    def __init__(self, statements: Iterable[Statements]) -> None:
        self._of: dict[str, list[tuple[Statements, LookedUp]]] = {}
        for one in statements:
            for lookup in one.mapping.lookups:
                self._of.setdefault(lookup.table, []).append((one, lookup))

    def around(self, changed: Sequence[Changed]) -> tuple[list[Step], list[Step]]:
        """What is to be done before these references change, and after it."""
        noted: dict[int, Statements] = {}
        before: list[sql.Composable] = []
        for reference, roles in changed:
            for of, lookup in self._of.get(reference.mapping.source_table, ()):
                tests = _of_all(lookup) if roles is None else list(_affected(reference, lookup, roles))
                if not tests:
                    continue
                if of.place not in noted:
                    noted[of.place] = of
                    before += _emptied(of)
                before.append(_note(of, tests))
        return list(map(Step, before)), [Step(_derive(of)) for of in noted.values()]


def _of_all(lookup: LookedUp) -> list[str]:
    return [] if lookup.is_enforced else ["true"]


def _affected(of: Statements, lookup: LookedUp, roles: Collection[str]) -> Iterator[str]:
    """Tests of a row's source columns, one of which holds if it looked up a row that changes."""
    reference, own = of.mapping, ", ".join(map(quoted, lookup.columns))
    names = {column.sources[0]: column.name for column in reference.columns}
    for role in roles:
        if lookup.is_enforced and role not in _OF_ENFORCED:
            continue
        rows = of.staged_rows(role)
        if role in _SAYS_THE_KEY:  # the code that the row has now
            yield f"({own}) IN ({_selected(lookup.keys, rows)})"
        if role != "inserted":  # the one that it had before, which may be another unique key than the row's own
            place = ", ".join(quoted(names[key]) for key in reference.source_key)
            before = _selected([names[key] for key in lookup.keys], quoted_table(reference.target_table))
            yield f"({own}) IN ({before} WHERE ({place}) IN ({_selected(reference.source_key, rows)}))"


def _selected(names: Sequence[str], relation: str) -> str:
    return f"SELECT {', '.join(map(quoted, names))} FROM {relation}"  # noqa: S608 - quoted


def _emptied(of: Statements) -> Iterator[sql.Composable]:
    columns = ", ".join(f"{quoted(column.name)} {column.type}" for column, _ in of.mapping.again)
    yield trusted(f"CREATE TEMP TABLE IF NOT EXISTS {_noted(of)} ({columns})")
    yield trusted(f"TRUNCATE {_noted(of)}")


def _note(of: Statements, tests: Sequence[str]) -> sql.Composable:
    outputs = ", ".join(f"{again} AS {quoted(column.name)}" for column, again in of.mapping.again)
    rows = f"SELECT {outputs} FROM {quoted_table(of.mapping.target_table)}"  # noqa: S608 - quoted
    return trusted(f"INSERT INTO {_noted(of)} SELECT * FROM ({rows}) AS made WHERE {' OR '.join(tests)}")  # noqa: S608


def _derive(of: Statements) -> sql.Composed:
    """The looked-up columns of the noted rows, where they differ now."""
    derived = [column for column in of.mapping.columns if column.looked_up]
    keys = [column for column in of.mapping.columns if column.name in of.mapping.key]
    names = [column.name for column in derived]
    return sql.SQL("UPDATE {table} AS t SET {values} FROM ({rows}) AS s WHERE {same} AND {old} *<> {new}").format(
        table=table(of.mapping.target_table),
        values=sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in names),
        rows=trusted(of.mapping.select_some((*keys, *derived), _noted(of))),
        same=sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in of.mapping.key),
        old=row_of(sql.Identifier("t"), names),
        new=row_of(sql.Identifier("s"), names),
    )


def _noted(of: Statements) -> str:
    return f"strangler_noted_{of.place}"
