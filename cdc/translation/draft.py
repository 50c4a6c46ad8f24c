"""A mapping whose every expression is translated, before its rules are checked and before it is plain SQL."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from cdc.catalogue import Column, Table
from cdc.translation.parse import ParsedMapping
from cdc.translation.terms import Scope, Term


@dataclass(frozen=True)
class Output:
    """One column of the target and the expression that fills it.

    A residue names the column whose loss it keeps, and has SQL over the target's columns that it stands for.
    """

    column: Column
    node: exp.Expression
    term: Term
    residue_of: str = ""
    stands: str = ""


@dataclass(frozen=True)
class Draft:
    """A mapping whose every expression is translated, before its rules are checked."""

    parsed: ParsedMapping
    scope: Scope
    target: Table
    outputs: tuple[Output, ...]
    where: Term | None

    @property
    def source(self) -> Table:
        """The table that is read."""
        return self.scope.table

    def output(self, name: str) -> Output | None:
        """The output of this name."""
        return next((found for found in self.outputs if found.column.name == name), None)


def source_key_of(table: Table) -> tuple[str, ...]:
    """The columns by which a change names its row: the replica identity's index, else the primary key."""
    return table.identity_key if table.replica_identity == "index" else table.primary_key
