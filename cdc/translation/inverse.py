"""The way back of one expression: how a value of the target becomes the source's value again, and when that is exact.

Pure. A `Lens` undoes an expression over exactly one source column; a `NoWay` says why nothing can. Each constructor
takes the lens of the inner expression and wraps it, so the lens of a whole expression is built while it is translated.
Two laws hold for every lens, under its guards: put(get(row)) = row and get(put(value)) = value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from cdc.mapping import Kind
from cdc.sql_types import SqlType, literal


@dataclass(frozen=True)
class NoWay:
    """An expression that cannot be undone: lossy (drops part of a column), constant, or opaque (mixes columns)."""

    kind: Kind
    reason: str


@dataclass(frozen=True)
class Lens:
    """The way back to one source column.

    `undo` makes SQL for the source's value of SQL for the target's value, `undo_type` does it for the type. `guards`
    are over the source's columns: where all are true, undoing gives the value back. `back_guards` are over the
    target's value: where all are true, translating what `undo` gave yields that value again. `outputs` are all the
    values that `undo` can give, if they are few; None stands for NULL. `reads` are other columns of the target that
    `undo` reads.
    """

    column: str
    undo: Callable[[str], str]
    undo_type: Callable[[SqlType], SqlType]
    guards: tuple[str, ...] = ()
    back_guards: Callable[[str], tuple[str, ...]] = lambda _: ()
    outputs: tuple[str | Decimal | None, ...] | None = None
    reads: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """Lossless where no condition is attached."""
        return "guarded" if self.guards else "lossless"

    def guarded(self, *guards: str) -> Lens:
        """The same way back under more conditions."""
        return replace(self, guards=self.guards + guards)


Way = Lens | NoWay


def identity(column: str) -> Lens:
    """The column itself."""
    return Lens(column, undo=lambda y: y, undo_type=lambda kind: kind)


def scaled(inner: Way, factor: Decimal) -> Way:
    """x * factor. Undone by multiplying with 1/factor, which must be a finite decimal: division would round."""
    if isinstance(inner, NoWay):
        return inner
    back = reciprocal(factor)
    if back is None:
        return NoWay("lossy", f"1/{plain(factor)} has no finite decimal form")
    return _stepped(inner, lambda y: f"({y} * {signed(back)})", lambda kind: multiplied(kind, back))


def shifted(inner: Way, addend: Decimal) -> Way:
    """X + addend."""
    if isinstance(inner, NoWay):
        return inner
    return _stepped(inner, lambda y: f"({y} - {signed(addend)})", lambda kind: added(kind, -addend))


def moved(inner: Way, back: Callable[[str], str], kind: SqlType) -> Way:
    """A date moved by a fixed time, which the opposite move undoes; its range is PostgreSQL's, on both sides."""
    if isinstance(inner, NoWay):
        return inner
    return _stepped(inner, back, lambda _: kind)


def read_back(
    inner: Way, back: Callable[[str], str], kind: SqlType, guard: str, back_guard: Callable[[str], str]
) -> Way:
    """A value read by a function of schema `strangler` that another one writes again."""
    if isinstance(inner, NoWay):
        return inner
    step = _stepped(inner, back, lambda _: kind).guarded(guard)
    return replace(step, back_guards=lambda y: (back_guard(y),))


def decoded(inner: Way, pairs: Sequence[tuple[str, str]], keys: Sequence[str | Decimal | None], guard: str) -> Way:
    """A list of literals to distinct literals; `pairs` are (key, result) as SQL, "NULL" for a NULL key."""
    if isinstance(inner, NoWay):
        return inner
    results = ", ".join(result for _, result in pairs)
    whens = " ".join(f"WHEN {result} THEN {key}" for key, result in pairs)
    step = _stepped(inner, lambda y: f"CASE {y} {whens} END", lambda kind: kind.holding(keys))
    return replace(
        step,
        guards=(*inner.guards, guard),
        back_guards=lambda y: (f"{y} IN ({results})", *((f"{y} IS NOT NULL",) if None in keys else ())),
        outputs=(*keys, None),
    )


def defaulted(inner: Way, default: str, guard: str) -> Way:
    """NVL(x, default): NULL becomes a value that no row has."""
    if isinstance(inner, NoWay):
        return inner
    step = _stepped(inner, lambda y: f"NULLIF({y}, {default})", lambda kind: kind).guarded(guard)
    return replace(step, back_guards=lambda y: (f"{y} IS NOT NULL",))


def emptied(inner: Way, value: str, guard: str) -> Way:
    """NULLIF(x, value): a value becomes NULL, and no row has NULL."""
    if isinstance(inner, NoWay):
        return inner
    step = _stepped(inner, lambda y: f"COALESCE({y}, {value})", lambda kind: kind)
    step = replace(step, back_guards=lambda y: (f"({y} <> {value}) IS NOT FALSE",))
    return step.guarded(guard) if guard else step


def formatted_back(inner: Way, form: str, guard: str, limits: Callable[[str], tuple[str, ...]], width: int) -> Way:
    """A date or timestamp read from text of a fixed format."""
    if isinstance(inner, NoWay):
        return inner
    step = _stepped(
        inner,
        lambda y: f"to_char(CAST({y} AS timestamp), {literal(form)})",
        lambda _: SqlType("text", length=width, is_tight=True),
    )
    return replace(step, guards=(*inner.guards, guard), back_guards=limits)


def parsed_back(inner: Way, function: str, form: str, guard: str, kind: SqlType) -> Way:
    """Text of a fixed format made of a date or timestamp."""
    if isinstance(inner, NoWay):
        return inner
    check = function.replace("parse_", "is_")
    step = _stepped(inner, lambda y: f"strangler.{function}({y}, {literal(form)})", lambda _: kind)
    return replace(
        step,
        guards=(*inner.guards, *((guard,) if guard else ())),
        back_guards=lambda y: (f"strangler.{check}({y}, {literal(form)})",),
    )


def numbered_back(inner: Way, padded_to: int | None, guard: str) -> Way:
    """A number read from text; char(n) comes back with leading zeros."""
    if isinstance(inner, NoWay):
        return inner
    back: Callable[[str], str] = lambda y: f"CAST(trim_scale({y}) AS text)"  # noqa: E731 - two forms of one step
    if padded_to:
        back = lambda y: f"lpad(CAST(trim_scale({y}) AS text), {padded_to}, '0')"  # noqa: E731
    step = _stepped(inner, back, lambda _: SqlType("text"))

    def comes_back(y: str) -> tuple[str, ...]:
        text = back(y)
        return (
            f"CASE WHEN strangler.is_number({text}) THEN strangler.parse_number({text}) = {y} ELSE {y} IS NULL END",
        )

    return replace(step, guards=(*inner.guards, guard), back_guards=comes_back)


def _stepped(inner: Lens, step: Callable[[str], str], step_type: Callable[[SqlType], SqlType]) -> Lens:
    return replace(
        inner,
        undo=lambda y: inner.undo(step(y)),
        undo_type=lambda kind: inner.undo_type(step_type(kind)),
        back_guards=lambda y: inner.back_guards(step(y)),
    )


def all_of(guards: Sequence[str]) -> str | None:
    """All guards as one condition. Where one could raise, those before it are asked first: AND promises no order."""
    distinct = list(dict.fromkeys(guards))
    if not any("strangler.parse_" in guard for guard in distinct[1:]):
        return " AND ".join(distinct) or None
    whole = distinct[-1]
    for guard in reversed(distinct[:-1]):
        whole = f"CASE WHEN {guard} THEN {whole} ELSE false END"
    return whole


def reciprocal(value: Decimal) -> Decimal | None:
    """1/value as an exact decimal, or None where it has no finite form."""
    digits = value.as_tuple()
    rest = abs(int("".join(map(str, digits.digits)) or "0"))
    if rest == 0:
        return None
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return None
    places = max(twos, fives)
    whole = 2 ** (places - twos) * 5 ** (places - fives)
    exponent = int(digits.exponent)
    return Decimal(-whole if value < 0 else whole).scaleb(-places - exponent)


def multiplied(kind: SqlType, factor: Decimal) -> SqlType:
    """The type of an exact number times a constant."""
    most = None if kind.most is None else abs(kind.most * factor)
    scale = None if kind.scale is None else kind.scale + places_of(factor)
    return SqlType("numeric", most=most, scale=scale)


def added(kind: SqlType, addend: Decimal) -> SqlType:
    """The type of an exact number plus a constant."""
    most = None if kind.most is None else kind.most + abs(addend)
    scale = None if kind.scale is None else max(kind.scale, places_of(addend))
    return SqlType("numeric", most=most, scale=scale)


def places_of(value: Decimal) -> int:
    """The digits after the point."""
    return max(-int(value.as_tuple().exponent), 0)


def plain(value: Decimal) -> str:
    """A decimal without exponent."""
    return format(value, "f")


def signed(value: Decimal) -> str:
    """A decimal as an SQL operand."""
    return f"({plain(value)})" if value < 0 else plain(value)


def cast_back(inner: Lens, base: str, guard: Callable[[str], str], kind: SqlType) -> Lens:
    """A cast to another type; `base` is the type it is cast back to, empty for a number made of text."""
    back: Callable[[str], str] = lambda y: f"CAST({y} AS {base})"  # noqa: E731 - two forms of one step
    if not base:
        back = lambda y: f"strangler.parse_number({y})"  # noqa: E731
    step = _stepped(inner, back, lambda _: kind)
    return replace(step, back_guards=lambda y: (guard(y),))
