"""One mapping file, resolved against both catalogues: every problem of it, or the Mapping with its way back.

The only control flow of this package; everything else here is a leaf that it calls. In this order, each step only if
the one before found nothing: the file is parsed in its author's dialect (`parse`, for DB2 `db2`), constructs that would
change their meaning silently are refused (`refuse`), both tables are found in the catalogues, each expression becomes a
Term - SQL, type, lineage, the way back - (`translate`, with one module for each kind of expression) that is made to fit
its column (`fit`), the rules of the mapping as a whole are checked, and its reverse is derived (`way_back`).
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sqlglot import exp

from cdc.catalogue import Catalogue, Table
from cdc.mapping import Mapping, NotInvertible, SourceColumn, TargetColumn
from cdc.sql_types import parse_type, quoted
from cdc.translation.draft import Draft, Output, source_key_of
from cdc.translation.expressions.looked_up import joins_of, reads_lookup
from cdc.translation.fit import fit
from cdc.translation.inverse import Lens, NoWay, all_of
from cdc.translation.lookup_rules import derived_again, lookup_rules
from cdc.translation.parse import ParsedMapping, parse_mapping
from cdc.translation.references import Reference, lookups_of, references_beside, table_name, without_lookups
from cdc.translation.refusals import NOWHERE, MappingRefused, Place, Refusal
from cdc.translation.refuse import place_of, refuse
from cdc.translation.residue import is_residue, residue_output
from cdc.translation.terms import Scope, Term, nearest, nearest_name
from cdc.translation.translate import HANDLERS, condition, translate
from cdc.translation.way_back import given_inverse, way_back


def build(file: Path, source: Catalogue, target: Catalogue) -> Mapping | list[MappingRefused]:
    """Read, translate and check one file; its problems in the order of their lines."""
    draft = drafted(file, source, target)
    if not isinstance(draft, Draft):
        return draft
    problems = [_refused(file, refusal) for refusal in (*_rules(draft), *lookup_rules(draft))]
    if problems or not draft.scope.lookups:
        return problems or mapping_of(draft)
    staged = drafted(file, source, target, is_staged=True)
    return _at_both_ends(mapping_of(draft), mapping_of(staged)) if isinstance(staged, Draft) else staged


def _at_both_ends(mapping: Mapping, staged: Mapping) -> Mapping:
    """A mapping with lookups: as it runs in the source's database, and in the target's; the way back runs in both."""
    back = staged.way_back
    if isinstance(back, Mapping) and isinstance(mapping.way_back, Mapping):
        back = replace(back, staged=mapping.way_back)
    return replace(mapping, staged=replace(staged, way_back=None), way_back=back)


def drafted(
    file: Path, source: Catalogue, target: Catalogue, *, is_staged: bool = False
) -> Draft | list[MappingRefused]:
    """Read and translate one file; `is_staged` if its statements run in the target's database."""
    try:
        parsed = parse_mapping(file, file.read_text(encoding="utf-8"))
        references = references_beside(file, source) if parsed.select.args.get("joins") else {}
        if forbidden := _forbidden(parsed, source, references):
            return forbidden
        scope = _scope(parsed, source)
        scope = replace(scope, lookups=lookups_of(parsed, scope.table, source, references, is_staged=is_staged))
        into = _target(parsed, target)
    except Refusal as refusal:
        return [_refused(file, refusal)]
    except UnicodeDecodeError:
        return [MappingRefused(file, NOWHERE, "the file is not UTF-8 text", "Save it as UTF-8.")]
    outputs, problems = _outputs(parsed, scope, into)
    where, more = _where(parsed, scope)
    if problems + more:
        return problems + more
    return Draft(parsed, scope, into, tuple(outputs), where)


def _forbidden(parsed: ParsedMapping, source: Catalogue, references: ReadOnly[str, Reference]) -> list[MappingRefused]:
    is_named = isinstance(_from(parsed).this, exp.Identifier)
    table = source.table(table_name(parsed.source, source)) if is_named else None
    known = frozenset(column.name.lower() for column in table.columns) if table else frozenset()
    select = without_lookups(parsed.select, source, references)
    found = [_refused(parsed.file, refusal) for refusal in refuse(select, parsed.dialect, known)]
    return list({(problem.place, problem.problem): problem for problem in found}.values())


def _from(parsed: ParsedMapping) -> exp.Expression:
    return parsed.select.args["from_"].this  # type: ignore[no-any-return]  # sqlglot types args as Any


def _scope(parsed: ParsedMapping, source: Catalogue) -> Scope:
    name = table_name(parsed.source, source)
    table = source.table(name)
    if table is None:
        remedy = nearest_name(name, list(source.tables))
        raise Refusal(f"there is no table {name} in the source database", remedy, place_of(parsed.source))
    if not (table.identity_key if table.replica_identity == "index" else table.primary_key):
        raise Refusal(
            f"{name} has no primary key, so a change of a row could not be followed",
            f"ALTER TABLE {quoted(name)} ADD PRIMARY KEY (...), or REPLICA IDENTITY USING INDEX of a unique index.",
        )
    return Scope(table, parsed.source.alias or "", parsed.dialect, HANDLERS)


def _target(parsed: ParsedMapping, target: Catalogue) -> Table:
    table = target.table(parsed.target)
    if table is None:
        remedy = nearest_name(parsed.target, list(target.tables))
        raise Refusal(f"there is no table {parsed.target} in the target database", remedy, Place(1))
    return table


def _outputs(parsed: ParsedMapping, scope: Scope, into: Table) -> tuple[list[Output], list[MappingRefused]]:
    outputs: list[Output] = []
    problems: list[MappingRefused] = []
    for node in parsed.select.expressions:
        try:
            outputs.append(_output(node, scope, into, outputs))
        except Refusal as refusal:
            problems.append(_refused(parsed.file, refusal, place_of(node), node.alias_or_name.lower()))
    return outputs, problems


def _output(node: exp.Expression, scope: Scope, into: Table, before: list[Output]) -> Output:
    name = node.alias_or_name.lower()
    column = into.column(name)
    if column is None and is_residue(node):
        raise Refusal(
            f"there is no column {name} in {into.name} yet", "Run the revision that adds it: strangler migrate upgrade."
        )
    if column is None:
        raise Refusal(f"there is no column {name or '(without a name)'} in {into.name}", nearest(into, name))
    if column.is_generated:
        raise Refusal("the column is generated", "Leave it out: the database computes it.")
    if any(output.column.name == name for output in before):
        raise Refusal("the column is given twice", "Remove one of them.")
    if is_residue(node):
        return residue_output(node, column, scope, before)
    return Output(column, node, fit(translate(node, scope), parse_type(column.type)))


def _where(parsed: ParsedMapping, scope: Scope) -> tuple[Term | None, list[MappingRefused]]:
    where = parsed.select.args.get("where")
    if where is None:
        return None, []
    try:
        return condition(where.this, scope), []
    except Refusal as refusal:
        return None, [_refused(parsed.file, refusal, place_of(where), "WHERE")]


def _rules(draft: Draft) -> Iterator[Refusal]:
    """What must hold of a mapping as a whole."""
    into, key = draft.target, draft.parsed.key
    given = {output.column.name for output in draft.outputs}
    for column in into.columns:
        if column.not_null and not column.has_default and not column.is_generated and column.name not in given:
            yield Refusal(f"{into.name}.{column.name} is NOT NULL and gets no value", "Add it to the SELECT.")
    for name in key:
        if name not in given:
            yield Refusal(f"the key column {name} is not in the SELECT", nearest_name(name, sorted(given)), Place(2))
            return
    if not any(set(unique) == set(key) for unique in (into.primary_key, *into.unique_keys)):
        yield Refusal(
            f"({', '.join(key)}) is not a primary key or unique key of {into.name}",
            f"Its primary key is ({', '.join(into.primary_key)}).",
            Place(2),
        )
    yield from _key_rules(draft)


def _key_rules(draft: Draft) -> Iterator[Refusal]:
    """Two rows of the source must never become one row of the target, and a deleted row must be found by its key."""
    source_key = source_key_of(draft.source)
    covered: set[str] = set()
    for name in draft.parsed.key:
        output = draft.output(name)
        if output is None:
            continue
        way = output.term.way
        outside = [column for column in output.term.columns if column not in source_key]
        if outside:
            yield Refusal(
                f"the key column {name} reads {', '.join(outside)}, which is not in the key of {draft.source.name}",
                f"Compute it from ({', '.join(source_key)}) only: a deleted row says nothing else.",
                place_of(output.node),
            )
        elif isinstance(way, Lens):
            covered.add(way.column)
        elif way.kind != "constant":
            yield Refusal(
                f"two rows could get the same {name}: {way.reason}",
                "Compute a key column from one column by something that can be undone.",
                place_of(output.node),
            )
    missing = [column for column in source_key if column not in covered]
    if missing and covered:
        yield Refusal(
            f"two rows that differ in {', '.join(missing)} only would become one row",
            f"Let the key of {draft.target.name} cover ({', '.join(source_key)}).",
            Place(2),
        )


def mapping_of(draft: Draft) -> Mapping:
    """The draft as plain data and SQL, with its way back."""
    source_key = source_key_of(draft.source)
    terms = [output.term for output in draft.outputs] + ([draft.where] if draft.where else [])
    read = {name for term in terms for name in term.columns} | set(source_key)
    back: Mapping | NotInvertible
    try:
        back = way_back(draft)
    except Refusal as refusal:
        back = NotInvertible(draft.parsed.file, refusal.remedy, refusal.problem)
    return Mapping(
        file=draft.parsed.file,
        source_table=draft.source.name,
        target_table=draft.target.name,
        key=draft.parsed.key,
        source_key=source_key,
        reads=tuple(SourceColumn(c.name, c.type) for c in draft.source.columns if c.name in read),
        columns=tuple(_column(output, draft) for output in draft.outputs),
        where=draft.where.sql if draft.where else None,
        is_reference=draft.parsed.is_reference,
        lookups=tuple(lookup.looked_up for lookup in draft.scope.lookups.values()),
        joins=joins_of((output.node for output in draft.outputs), draft.scope),
        again=derived_again(draft),
        way_back=back,
    )


def _column(output: Output, draft: Draft) -> TargetColumn:
    return replace(_plain_column(output, draft), looked_up=reads_lookup(output.node, draft.scope))


def _plain_column(output: Output, draft: Draft) -> TargetColumn:
    term, column = output.term, output.column
    way = term.way
    kept = next((one for one in draft.outputs if one.residue_of == column.name), None)
    if kept is not None and isinstance(kept.term.way, Lens) and isinstance(way, NoWay):
        undone, reason = kept.term.way.undo(quoted(kept.column.name)), f"{way.reason}; {kept.column.name} keeps it"
        return TargetColumn(column.name, column.type, way.kind, term.columns, undone, None, term.sql, reason)
    if isinstance(way, NoWay):
        given: tuple[str, str] | None = None
        with suppress(Refusal):  # the way back says what is wrong with it
            given = given_inverse(draft, output)
        inverse, guard = given or (None, None)
        return TargetColumn(column.name, column.type, way.kind, term.columns, inverse, guard, term.sql, way.reason)
    inverse, guard = way.undo(quoted(column.name)), all_of(way.guards)
    return TargetColumn(
        column.name, column.type, way.kind, term.columns, inverse, guard, term.sql, stands=output.stands
    )


def _refused(file: Path, refusal: Refusal, place: Place = NOWHERE, column: str = "") -> MappingRefused:
    return MappingRefused(file, refusal.place if refusal.place.line else place, refusal.problem, refusal.remedy, column)
