"""An expression that has been translated: its SQL, its type, what it reads, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from cdc.catalogue import Column, Table
from cdc.sql_types import SqlType, literal, parse_type, quoted
from cdc.translation.inverse import NoWay, Way, identity
from cdc.translation.refusals import Refusal

if TYPE_CHECKING:
    from cdc.translation.references import Lookup


@dataclass(frozen=True)
class Term:
    """A translated expression; `value` is set for a literal, `columns` are the source's in the order of reading."""

    sql: str
    type: SqlType
    way: Way
    nullable: bool = False
    columns: tuple[str, ...] = ()
    value: str | Decimal | None = None

    @property
    def is_literal(self) -> bool:
        """Whether it is a text or a number as written."""
        return self.value is not None

    @property
    def padded_text(self) -> str:
        """Its text for a function: char(n) with the blanks that a cast to text would drop."""
        if not self.type.is_padded:
            return self.sql
        if self.type.length is None:
            raise Refusal("the length of a CHAR value is not known here", "Use the column itself.")
        return f"rpad(CAST({self.sql} AS text), {self.type.length})"


Translate = Callable[[exp.Expression, "Scope"], Term]


@dataclass(frozen=True)
class Scope:
    """What names mean: the source table, the dialect, and SQL that stands in for columns (to check a way back).

    `lookups` are the joined references by their alias in lower case.
    """

    table: Table
    alias: str
    dialect: str
    handlers: Mapping[type[exp.Expression], Translate]
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)

    def term(self, node: exp.Expression) -> Term:
        """Translate one expression. Raises Refusal for everything that is not known to mean the same."""
        handler = self.handlers.get(type(node))
        if handler is None:
            name = (
                node.name
                if isinstance(node, exp.Anonymous)
                else node.sql_names()[0]
                if isinstance(node, exp.Func)
                else type(node).__name__
            )
            raise Refusal(f"{name} is not known to mean the same in PostgreSQL", "Map the column without it.")
        return handler(node, self)

    def column(self, node: exp.Column) -> Column:
        """The source's column that a name stands for, by the dialect's rules of upper and lower case."""
        if node.table and node.table.lower() not in (self.alias.lower(), self.table.name.rpartition(".")[2].lower()):
            raise Refusal(f"{node.sql()} belongs to no table of this mapping", "Leave the qualifier out.")
        found = find_column(self.table, node.name)
        if found is None:
            raise Refusal(f"there is no column {node.name} in {self.table.name}", nearest(self.table, node.name))
        return found


def find_column(table: Table, name: str) -> Column | None:
    """The column as written, else in lower case (as PostgreSQL folds names), else whatever differs only by case."""
    exact = table.column(name) or table.column(name.lower())
    if exact is not None:
        return exact
    alike = [column for column in table.columns if column.name.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def nearest(table: Table, name: str) -> str:
    """A remedy that names the existing column most like a missing one, or all of them."""
    return nearest_name(name, [column.name for column in table.columns])


def nearest_name(name: str, names: list[str]) -> str:
    """A remedy that names the most similar of some names, or the first ten of them."""
    from difflib import get_close_matches

    close = get_close_matches(name.lower(), [known.lower() for known in names], n=1, cutoff=0.5)
    if close:
        return f"Did you mean {next(known for known in names if known.lower() == close[0])}?"
    return f"It has: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}." if names else "There are none."


def column_term(node: exp.Expression, scope: Scope) -> Term:
    """A column of the source."""
    assert isinstance(node, exp.Column)  # noqa: S101 - the table of handlers says so
    column = scope.column(node)
    sql = scope.stand_ins.get(column.name, quoted(column.name))
    return Term(sql, parse_type(column.type), identity(column.name), not column.not_null, (column.name,))


def literal_term(node: exp.Expression, _: Scope) -> Term:
    """A text or a number as written; numbers stay exact decimals."""
    way = NoWay("constant", "it is the same in every row")
    if node.args.get("is_string"):
        text = node.name
        return Term(literal(text), SqlType("text", length=len(text)), way, value=text)
    number = Decimal(node.name)
    places = max(-int(number.as_tuple().exponent), 0)
    return Term(format(number, "f"), SqlType("some number", most=abs(number), scale=places), way, value=number)


def joined(*terms: Term) -> tuple[str, ...]:
    """The columns that several expressions read, each once."""
    return tuple(dict.fromkeys(name for term in terms for name in term.columns))


def lost(columns: tuple[str, ...], reason: str) -> NoWay:
    """No way back, by the number of columns: constant, lossy or opaque."""
    if not columns:
        return NoWay("constant", "it is the same in every row")
    if len(columns) == 1:
        return NoWay("lossy", reason)
    return NoWay("opaque", f"it mixes {', '.join(columns)}")


def exact(condition: str, *terms: Term) -> str:
    """A guard that does not mind NULL: NULL stays NULL on the way and back."""
    return f"({condition}) IS NOT FALSE" if any(term.nullable for term in terms) else condition
