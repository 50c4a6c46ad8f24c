"""The reverse of a mapping, derived from the ways back of its columns, or the reason why there is none.

Every column of the source gets its value from the first column of the target that can be undone to it. A column of the
target that only repeats what others say must agree with them (`Mapping.consistent`). The WHERE of the forward mapping
must hold for every row that comes back: it is proved from the values that the inverse can give, or there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlglot import exp

from cdc.catalogue import Column
from cdc.mapping import Kind, Mapping, SourceColumn, TargetColumn
from cdc.sql_types import parse_type, quoted
from cdc.translation.draft import Draft, Output, source_key_of
from cdc.translation.fit import fit
from cdc.translation.inverse import Lens, NoWay, all_of
from cdc.translation.refusals import Refusal
from cdc.translation.refuse import refuse
from cdc.translation.terms import Scope, Term, find_column
from cdc.translation.translate import translate

Value = str | Decimal | None


@dataclass(frozen=True)
class Provider:
    """What gives a column of the source its value: a column of the target, or a value that the WHERE fixes."""

    column: Column
    output: Output | None
    term: Term
    is_given: bool = False


def way_back(draft: Draft) -> Mapping:
    """The reverse mapping. Raises Refusal(problem=reason, remedy=column)."""
    providers = _providers(draft)
    _refuse_unmapped(draft, providers)
    _refuse_lost(draft, providers)
    _prove_where(draft, providers)
    key = source_key_of(draft.source)
    read = _check_key(draft, providers, key)
    return Mapping(
        file=draft.parsed.file,
        source_table=draft.target.name,
        target_table=draft.source.name,
        key=key,
        source_key=_identity(draft),
        reads=tuple(SourceColumn(c.name, c.type) for c in draft.target.columns if c.name in read),
        columns=tuple(_column(providers[c.name]) for c in draft.source.columns if c.name in providers),
        consistent=" AND ".join(_agreements(draft, providers)) or None,
        is_reference=draft.parsed.is_reference,
    )


def _providers(draft: Draft) -> dict[str, Provider]:
    found = _given(draft)
    # A residue first: it brings back what the guard of its column leaves out.
    for output in sorted(draft.outputs, key=lambda one: not one.residue_of):
        way = output.term.way
        if not isinstance(way, Lens) or way.column in found:
            continue
        column = draft.source.column(way.column)
        if column is None or column.is_generated:
            continue
        name = quoted(output.column.name)
        own = parse_type(output.column.type)
        back = Term(
            way.undo(name),
            way.undo_type(own),
            replace(way, guards=tuple(_unless_null(guard, output) for guard in way.back_guards(name))),
            not output.column.not_null,
            (output.column.name, *way.reads),
        )
        found[way.column] = Provider(column, output, _into(back, column))
    for name, value in _fixed(draft):
        column = draft.source.column(name)
        if column is not None and name not in found:
            found[name] = Provider(column, None, _into(value, column))
    return found


def _given(draft: Draft) -> dict[str, Provider]:
    """What the author's own reverse SELECT gives, column by column of the source."""
    reverse = draft.parsed.reverse
    if reverse is None:
        return {}
    for refusal in refuse(reverse, "postgres", frozenset(column.name for column in draft.target.columns)):
        raise Refusal(f"the reverse SELECT: {refusal.problem}", draft.target.name)
    scope = Scope(draft.target, "", "postgres", draft.scope.handlers)
    return {name: Provider(column, None, term, is_given=True) for name, column, term in _reversed(draft, scope)}


def _reversed(draft: Draft, scope: Scope) -> Iterator[tuple[str, Column, Term]]:
    assert draft.parsed.reverse is not None  # noqa: S101 - the callers looked
    for node in draft.parsed.reverse.expressions:
        name = node.alias_or_name
        column = find_column(draft.source, name)
        if column is None:
            raise Refusal(f"the reverse SELECT gives it, and {draft.source.name} has no such column", name)
        try:
            yield column.name, column, fit(translate(node, scope), parse_type(column.type))
        except Refusal as refusal:
            raise Refusal(f"the reverse SELECT: {refusal.problem}", column.name) from refusal


def given_inverse(draft: Draft, output: Output) -> tuple[str, str] | None:
    """For a column that only the author's SELECT takes back: that SQL, and the guard that a row comes back by it."""
    if draft.parsed.reverse is None:
        return None
    plain = Scope(draft.target, "", "postgres", draft.scope.handlers)
    forward = {each.column.name: f"CAST({each.term.sql} AS {each.column.type})" for each in draft.outputs}
    inverses, guards = [], []
    for name, _, term in _reversed(draft, plain):
        if output.column.name in term.columns:
            inverses.append(f"{term.sql} AS {quoted(name)}")
            guards.append(name)
    again = {name: term for name, _, term in _reversed(draft, replace(plain, stand_ins=forward))}
    tests = [f"{quoted(name)} IS NOT DISTINCT FROM CAST({again[name].sql} AS {_type(draft, name)})" for name in guards]
    return (", ".join(inverses), " AND ".join(tests)) if inverses else None


def _type(draft: Draft, name: str) -> str:
    column = draft.source.column(name)
    return column.type if column else "text"


def _unless_null(guard: str, output: Output) -> str:
    return guard if output.column.not_null or guard.endswith("IS NOT NULL") else f"({guard}) IS NOT FALSE"


def _into(term: Term, column: Column) -> Term:
    try:
        return fit(term, parse_type(column.type))
    except Refusal as refusal:
        raise Refusal(refusal.problem, column.name) from refusal


def _fixed(draft: Draft) -> Iterator[tuple[str, Term]]:
    """Columns that the WHERE fixes to one literal."""
    for part in _conjuncts(draft):
        if isinstance(part, exp.EQ) and isinstance(part.this, exp.Column) and isinstance(part.expression, exp.Literal):
            yield draft.scope.column(part.this).name, translate(part.expression, draft.scope)


def _conjuncts(draft: Draft) -> Iterator[exp.Expression]:
    where = draft.parsed.select.args.get("where")
    waiting = [where.this] if where is not None else []
    while waiting:
        part = waiting.pop()
        if isinstance(part, exp.And):
            waiting += [part.expression, part.this]
        elif isinstance(part, exp.Paren):
            waiting.append(part.this)
        else:
            yield part


def _refuse_unmapped(draft: Draft, providers: dict[str, Provider]) -> None:
    for column in draft.source.columns:
        if column.not_null and not column.has_default and not column.is_generated and column.name not in providers:
            reason = f"{draft.source.name}.{column.name} is NOT NULL and no column of {draft.target.name} gives it back"
            raise Refusal(_with_cause(draft, column.name, reason), column.name)


def _with_cause(draft: Draft, column: str, reason: str) -> str:
    for output in draft.outputs:
        if column in output.term.columns and isinstance(output.term.way, NoWay):
            return f"{reason} ({output.column.name} is {output.term.way.kind}: {output.term.way.reason})"
    return reason


def _refuse_lost(draft: Draft, providers: dict[str, Provider]) -> None:
    """A lossy or opaque column is allowed where everything it reads comes back by other columns."""
    for output in draft.outputs:
        way = output.term.way
        if isinstance(way, NoWay) and any(name not in providers for name in output.term.columns):
            raise Refusal(f"it is {way.kind}: {way.reason}", output.column.name)


def _check_key(draft: Draft, providers: dict[str, Provider], key: tuple[str, ...]) -> set[str]:
    identity = set(_identity(draft))
    if not identity:
        raise Refusal(f"{draft.target.name} has no primary key", draft.target.name)
    for name in key:
        provider = providers.get(name)
        if provider is None:
            raise Refusal(f"it is in the key of {draft.source.name} and nothing gives it back", name)
        outside = sorted(set(provider.term.columns) - identity) if provider.is_given else []
        if outside:
            raise Refusal(f"the reverse SELECT reads {outside[0]} for it, which a deleted row would not say", name)
        if provider.output is not None and provider.output.column.name not in identity:
            raise Refusal(
                f"it comes back from {provider.output.column.name}, which is not in the primary key of "
                f"{draft.target.name}: a deleted row would not say it",
                name,
            )
    given = {column for provider in providers.values() if provider.is_given for column in provider.term.columns}
    return identity | given | {output.column.name for output in draft.outputs}


def _identity(draft: Draft) -> tuple[str, ...]:
    target = draft.target
    return target.identity_key if target.replica_identity == "index" else target.primary_key


def _column(provider: Provider) -> TargetColumn:
    term, column = provider.term, provider.column
    if provider.is_given:
        reason = "the mapping's own reverse SELECT gives it"
        return TargetColumn(column.name, column.type, "opaque", term.columns, None, None, term.sql, reason)
    if provider.output is None or not isinstance(term.way, Lens):
        return TargetColumn(column.name, column.type, "constant", (), None, None, term.sql, "the WHERE fixes it")
    guard = all_of(term.way.guards)
    kind: Kind = "guarded" if guard else "lossless"
    return TargetColumn(column.name, column.type, kind, term.columns, provider.output.term.sql, guard, term.sql)


def _agreements(draft: Draft, providers: dict[str, Provider]) -> Iterator[str]:
    """Columns of the target that give nothing back must be what the forward mapping would make again."""
    stand_ins = {name: f"CAST({provider.term.sql} AS {provider.column.type})" for name, provider in providers.items()}
    scope = replace(draft.scope, stand_ins=stand_ins)
    providing = {provider.output.column.name for provider in providers.values() if provider.output}
    for output in draft.outputs:
        if output.column.name not in providing:
            again = fit(translate(output.node, scope), parse_type(output.column.type))
            yield f"{quoted(output.column.name)} IS NOT DISTINCT FROM {again.sql}"


def _prove_where(draft: Draft, providers: dict[str, Provider]) -> None:
    for part in _conjuncts(draft):
        if not _holds(part, draft, providers):
            sql = part.sql(dialect=draft.parsed.dialect)
            raise Refusal(f"it cannot be proved that every row that comes back has {sql}", "WHERE")


def _holds(part: exp.Expression, draft: Draft, providers: dict[str, Provider]) -> bool:
    subject = part.this.this if isinstance(part, exp.Not) and part.this is not None else part.this
    if not isinstance(subject, exp.Column):
        return False
    provider = providers.get(draft.scope.column(subject).name)
    if provider is None:
        return False
    if isinstance(part, exp.Not) and isinstance(part.this, exp.Is):
        never_null = provider.output is not None and provider.output.column.not_null
        return provider.column.not_null or (never_null and provider.term.sql == quoted(provider.term.columns[0]))
    values = _values(provider)
    return values is not None and all(_is_true(part, value, provider) for value in values)


def _values(provider: Provider) -> tuple[Value, ...] | None:
    """All that the column can get, if that is a short list; NULL is left out where the source refuses it."""
    if provider.output is None:
        found = next((text for text in (provider.term.value,) if text is not None), None)
        return None if found is None else (found,)
    way = provider.output.term.way
    if not isinstance(way, Lens) or way.outputs is None:
        return None
    return tuple(value for value in way.outputs if value is not None or not provider.column.not_null)


def _is_true(part: exp.Expression, value: Value, provider: Provider) -> bool:
    if value is None:
        return False
    if isinstance(part, exp.Not):
        return (
            isinstance(part.this, exp.In)
            and _listed(part.this, provider) is not None
            and (_same(value, provider) not in (_listed(part.this, provider) or set()))
        )
    if isinstance(part, exp.In):
        return _same(value, provider) in (_listed(part, provider) or set())
    if isinstance(part, exp.EQ | exp.NEQ) and isinstance(part.expression, exp.Literal):
        equal = _same(value, provider) == _same(_literal(part.expression), provider)
        return equal == isinstance(part, exp.EQ)
    return False


def _listed(part: exp.In, provider: Provider) -> set[Value] | None:
    if not part.expressions or not all(isinstance(found, exp.Literal) for found in part.expressions):
        return None
    return {_same(_literal(found), provider) for found in part.expressions}


def _literal(node: exp.Expression) -> Value:
    return node.name if node.args.get("is_string") else Decimal(node.name)


def _same(value: Value, provider: Provider) -> Value:
    if isinstance(value, str) and parse_type(provider.column.type).is_padded:
        return value.rstrip(" ")
    return value
