"""What must hold of a mapping that looks rows up, or that others look rows up in, so that both databases stay equal.

The source's SELECT sees a changed code in every row that has it, and so does a verification. The target must derive
those rows anew without asking the source, from what it has: so a row of the target must say which code it was made of.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from cdc.mapping import SourceColumn
from cdc.sql_types import quoted
from cdc.translation.draft import Draft, Output, source_key_of
from cdc.translation.expressions.looked_up import reads_lookup
from cdc.translation.inverse import Lens
from cdc.translation.refusals import Refusal
from cdc.translation.refuse import place_of


def lookup_rules(draft: Draft) -> Iterator[Refusal]:
    """Every rule that the mapping breaks."""
    if draft.parsed.is_reference:
        yield from _of_reference(draft)
    if not draft.scope.lookups:
        return
    where = draft.parsed.select.args.get("where")
    if where is not None and reads_lookup(where, draft.scope):
        yield Refusal(
            f"the WHERE reads {', '.join(reads_lookup(where, draft.scope))}: rows would come and go with another table",
            f"Filter by columns of {draft.source.name}.",
            place_of(where),
        )
    for name in draft.parsed.key:
        output = draft.output(name)
        if output is not None and reads_lookup(output.node, draft.scope):
            yield Refusal(
                f"the key column {name} is looked up: it would change with another table",
                f"Compute it from ({', '.join(source_key_of(draft.source))}).",
                place_of(output.node),
            )
    yield from _of_ways_back(draft)


def _of_reference(draft: Draft) -> Iterator[Refusal]:
    for output in draft.outputs:
        node = output.node.unalias()
        column = draft.source.column(output.term.columns[0]) if isinstance(node, exp.Column) else None
        if column is None or column.type != output.column.type:
            yield Refusal(
                f"{output.column.name} of a reference is not a column as it stands, of the same type",
                "Carry the column itself; what is made of it belongs into the mapping that looks it up.",
                place_of(output.node),
            )
    where = draft.parsed.select.args.get("where")
    if where is not None or draft.scope.lookups:
        yield Refusal(
            "a reference has no WHERE and looks nothing up",
            "Carry all of its rows.",
            place_of(where or draft.parsed.select),
        )


def _of_ways_back(draft: Draft) -> Iterator[Refusal]:
    for output in draft.outputs:
        looked_up = reads_lookup(output.node, draft.scope)
        missing = [name for name in output.term.columns if _giving(draft, name) is None] if looked_up else []
        if missing:
            yield Refusal(
                f"{output.column.name} reads {looked_up[0]}, and a change there would not find its rows: no column of "
                f"{draft.target.name} gives {missing[0]} back without a condition",
                f"Map {missing[0]} itself, too; or look up a unique, NOT NULL column through a validated foreign key.",
                place_of(output.node),
            )


def _giving(draft: Draft, name: str) -> Output | None:
    """The output that gives a column of the source back, always."""
    for output in draft.outputs:
        way = output.term.way
        if isinstance(way, Lens) and way.column == name and (not way.guards or output.column.name in draft.parsed.key):
            return output
    return None


def derived_again(draft: Draft) -> tuple[tuple[SourceColumn, str], ...]:
    """The columns of the source that a row is derived from again, in attnum order, with SQL over the target's row."""
    if not draft.scope.lookups:
        return ()
    read = set(source_key_of(draft.source))
    for output in draft.outputs:
        read |= set(output.term.columns) if reads_lookup(output.node, draft.scope) else set()
    found = []
    for column in draft.source.columns:
        giving = _giving(draft, column.name) if column.name in read else None
        if giving is not None and isinstance(giving.term.way, Lens):
            undone = giving.term.way.undo(quoted(giving.column.name))
            found.append((SourceColumn(column.name, column.type), f"CAST({undone} AS {column.type})"))
    return tuple(found)
