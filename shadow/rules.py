"""The rules of one route, compiled once: for each place in an answer what may differ there, and by which rule.

`protect` overrules every other rule. A rule whose last day is over is left out when the rules are compiled, so that
what it hid is seen again. Answers for a path are remembered, up to a bounded number of paths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from config.paths import Path, Pattern, covers, names, parse_pattern, without_indexes
from shadow.treatments import Normal, is_within, normals_of, same

if TYPE_CHECKING:
    from datetime import date

    from config.comparing import Compare, Declared, Ignore, Rule

ANSWERS_KEPT_MAX = 4096
TEXTS_SHOWN_MAX = 200


@dataclass(frozen=True)
class Form:
    """How bodies are read that do not say it themselves."""

    delimiter: str = ","
    quote: str = '"'
    has_header: bool = True
    lines_ignored: tuple[re.Pattern[str], ...] = ()
    trims_lines: bool = False
    skips_blank_lines: bool = False
    any_line_ends: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """How the members of a list find each other: as a set, or by the members that are their key."""

    name: str
    mode: Literal["set", "key"]
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Treatment:
    """A rule for the values at a path."""

    name: str
    note: str
    steps: Pattern
    rule: Rule
    normals: tuple[Normal, ...]

    @property
    def is_strict(self) -> bool:
        """Whether it makes a difference of what would be the same value without it."""
        rule = self.rule
        return "strict" in (rule.number, rule.time) or rule.minor_unit is not None or rule.id is not None


@dataclass(frozen=True, slots=True)
class Excuse:
    """Why a difference does not count: the names of the rules, and what is noted in the verdict."""

    names: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Here:
    """What holds at one path."""

    is_protected: bool = False
    ignored_by: str | None = None
    treatments: tuple[Treatment, ...] = ()
    listing: Listing | None = None
    declared: tuple[Declared, ...] = ()

    def excuse(
        self, kind: str, control: Any, candidate: Any, *, legacy_is_control: bool, nothing: object
    ) -> Excuse | None:
        """The rules that take a difference for none; None where it stands."""
        if self.is_protected:
            return None
        if self.ignored_by is not None:
            return Excuse((self.ignored_by,), "ignored")
        if self.treatments:
            found = _absent(self.treatments, control, candidate, nothing) or self._treated(
                control, candidate, legacy_is_control
            )
            if found is not None:
                return found
        one = next((one for one in self.declared if _is_declared(one, kind, control, candidate)), None)
        return Excuse((f"declared {one.name}",), "declared") if one is not None else None

    def treated(self, value: Any, *, is_legacy: bool) -> Any:
        """The value in the form that both sides share."""
        for treatment in self.treatments:
            for normal in treatment.normals:
                value = normal(value, is_legacy)
        return value

    def _treated(self, control: Any, candidate: Any, legacy_is_control: bool) -> Excuse | None:
        used: list[Treatment] = []
        for treatment in self.treatments:
            before = control, candidate
            for normal in treatment.normals:
                control, candidate = normal(control, legacy_is_control), normal(candidate, not legacy_is_control)
            if (control, candidate) != before:
                used.append(treatment)
        if same(control, candidate) and used:
            return Excuse(tuple(one.name for one in used), ",".join(sorted({one.note for one in used})))
        for treatment in self.treatments:
            tolerance = treatment.rule.tolerance
            if tolerance is not None and is_within(tolerance, control, candidate):
                return Excuse((treatment.name,), treatment.note)
        return None


NOWHERE = Here()


def _absent(treatments: tuple[Treatment, ...], control: Any, candidate: Any, nothing: object) -> Excuse | None:
    if not ((control is nothing and candidate is None) or (control is None and candidate is nothing)):
        return None
    one = next((one for one in treatments if one.rule.null_is_absent), None)
    return Excuse((one.name,), "null_is_absent") if one is not None else None


def _is_declared(declared: Declared, kind: str, control: Any, candidate: Any) -> bool:
    if declared.kind != kind:
        return False
    wanted = ((declared.control, control), (declared.candidate, candidate))
    return all(text is None or text == str(value) for text, value in wanted)


@dataclass(frozen=True, slots=True)
class _Line:
    """One rule in the form in which it is looked up."""

    name: str
    steps: Pattern
    part: Any = None


@dataclass(frozen=True)
class Lines:
    """All rules of a route by what they are."""

    ignored: tuple[_Line, ...] = ()
    protected: tuple[Pattern, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    listings: tuple[_Line, ...] = ()
    declared: tuple[_Line, ...] = ()
    head: dict[str, str] = field(default_factory=dict)
    head_declared: tuple[Declared, ...] = ()
    secret: tuple[Pattern, ...] = ()
    identity: tuple[Pattern, ...] = ()

    def patterns(self) -> list[Pattern]:
        """Every pattern of every rule."""
        return [*(steps for _, steps in self.named()), *self.protected]

    def named(self) -> list[tuple[str, Pattern]]:
        """Every rule that may hide a difference, with its pattern."""
        simple = (*self.ignored, *self.listings, *self.declared)
        return [*((line.name, line.steps) for line in simple), *((one.name, one.steps) for one in self.treatments)]


class Rules:
    """What holds at which path of one route's answers."""

    def __init__(
        self,
        ignore: Iterable[str] = (),
        protect: Iterable[str] = (),
        *,
        lines: Lines | None = None,
        form: Form | None = None,
    ) -> None:
        ignored = tuple(_Line(f"ignore {text}", parse_pattern(text)) for text in ignore)
        self._lines = lines or Lines(ignored, tuple(parse_pattern(text) for text in protect))
        self.form = form or Form()
        self.headers: frozenset[str] = frozenset()
        self.is_empty = not (self._lines.ignored or self._lines.treatments or self._lines.declared)
        self.has_listings = bool(self._lines.listings)
        self.has_identity = bool(self._lines.identity)
        self.has_protected = bool(self._lines.protected)
        rules = [one.rule for one in self._lines.treatments]
        self.has_ids = any(rule.id is not None for rule in rules)
        self.trusts_equal_bytes = not self.has_ids and all(rule.minor_unit is None for rule in rules)
        self.is_strict = any(treatment.is_strict for treatment in self._lines.treatments)
        self._keep_indexes = any(isinstance(step.key, int) for steps in self._lines.patterns() for step in steps)
        self._answer: Callable[[Path], Here] = lru_cache(maxsize=ANSWERS_KEPT_MAX)(self._decide)

    @classmethod
    def of(cls, compare: Compare, today: date | None = None) -> Rules:
        """The rules of a route's `compare` section; those whose last day was before `today` are left out."""
        rules = cls(lines=_compiled(compare, today), form=_form(compare))
        rules.headers = frozenset(compare.headers)
        return rules

    @cached_property
    def for_markup(self) -> Rules:
        """The same rules for trees in which a name that occurs once is no list: indexes do not count there."""
        lines = self._lines
        stripped = Lines(
            tuple(_Line(one.name, without_indexes(one.steps)) for one in lines.ignored),
            tuple(map(without_indexes, lines.protected)),
            tuple(Treatment(o.name, o.note, without_indexes(o.steps), o.rule, o.normals) for o in lines.treatments),
            tuple(_Line(one.name, without_indexes(one.steps), one.part) for one in lines.listings),
            tuple(_Line(one.name, without_indexes(one.steps), one.part) for one in lines.declared),
            lines.head,
            lines.head_declared,
            tuple(map(without_indexes, lines.secret)),
            tuple(map(without_indexes, lines.identity)),
        )
        return _MarkupRules(lines=stripped, form=self.form)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all rules that may hide a difference in a body."""
        return tuple(name for name, _ in self._lines.named())

    def here(self, path: Path) -> Here:
        """What holds at a path."""
        return self._answer(path if self._keep_indexes else tuple([0 if type(step) is int else step for step in path]))

    def may_ignore(self, path: Path) -> bool:
        """Whether any difference at that path is hidden: an ignore pattern covers it and no protect pattern does."""
        here = self.here(path)
        return here.ignored_by is not None and not here.is_protected

    def identifies(self, path: Path) -> bool:
        """Whether the value at a path says whose data this is; in markup, where a list may be one value, too."""
        bare = tuple(step for step in path if type(step) is not int)
        return any(covers(steps, path) or covers(without_indexes(steps), bare) for steps in self._lines.identity)

    def is_secret(self, path: Path) -> bool:
        """Whether the value at a path is stored as a token whatever it is."""
        return any(covers(steps, path) for steps in self._lines.secret)

    def protects(self, path: Path) -> bool:
        """Whether a protect pattern covers the path."""
        return any(covers(steps, path) for steps in self._lines.protected)

    def reached(self, path: Path) -> set[str]:
        """The rules that name this very path."""
        return {name for name, steps in self._lines.named() if names(steps, path)}

    def head_excuse(self, place: str, kind: str, control: Any, candidate: Any) -> Excuse | None:
        """The rule that takes a difference of status, header or cookie for none."""
        name = self._lines.head.get(place) or self._lines.head.get(place.partition(".")[0])
        if name is not None:
            return Excuse((name,), "ignored")
        for one in self._lines.head_declared:
            if one.path == place and _is_declared(one, kind, control, candidate):
                return Excuse((f"declared {one.name}",), "declared")
        return None

    def _decide(self, path: Path) -> Here:
        lines = self._lines
        listing = next((line.part for line in lines.listings if names(line.steps, path)), None)
        return Here(
            self.protects(path),
            next((line.name for line in lines.ignored if covers(line.steps, path)), None),
            tuple(one for one in lines.treatments if covers(one.steps, path)),
            listing,
            tuple(line.part for line in lines.declared if covers(line.steps, path)),
        )


class _MarkupRules(Rules):
    """Rules whose paths have no indexes."""

    def here(self, path: Path) -> Here:
        return self._answer(tuple([step for step in path if type(step) is not int]))

    def protects(self, path: Path) -> bool:
        return super().protects(tuple(step for step in path if type(step) is not int))

    def reached(self, path: Path) -> set[str]:
        return super().reached(tuple(step for step in path if type(step) is not int))

    def is_secret(self, path: Path) -> bool:
        return super().is_secret(tuple(step for step in path if type(step) is not int))


NO_RULES = Rules()


def _compiled(compare: Compare, today: date | None) -> Lines:
    def holds(one: Ignore | Rule | Declared) -> bool:
        return today is None or one.until is None or today <= one.until

    ignored = [one for one in compare.ignore if holds(one)]
    rules = [one for one in compare.rules if holds(one)]
    declared = [one for one in compare.declared if holds(one)]
    return Lines(
        tuple(_Line(f"ignore {one.path}", parse_pattern(one.path)) for one in ignored if one.path.startswith("$")),
        tuple(parse_pattern(path) for path in (*compare.protect, *compare.identity)),
        tuple(_treatment(rule) for rule in rules if set(rule.treatments) - {"order", "key"}),
        tuple(_listing(rule) for rule in rules if rule.order or rule.key),
        tuple(_Line(f"declared {o.name}", parse_pattern(o.path), o) for o in declared if o.path.startswith("$")),
        {one.path: f"ignore {one.path}" for one in ignored if not one.path.startswith(("$", "status"))},
        tuple(one for one in declared if not one.path.startswith("$")),
        tuple(parse_pattern(path) for path in compare.redact),
        tuple(parse_pattern(path) for path in compare.identity),
    )


def _treatment(rule: Rule) -> Treatment:
    words = "+".join(name for name in rule.treatments if name not in ("order", "key"))
    return Treatment(f"{words} {rule.path}", words, parse_pattern(rule.path), rule, normals_of(rule))


def _listing(rule: Rule) -> _Line:
    mode: Literal["set", "key"] = "key" if rule.key else "set"
    name = f"{'key' if rule.key else 'order'} {rule.path}"
    return _Line(name, parse_pattern(rule.path), Listing(name, mode, rule.key or ()))


def _form(compare: Compare) -> Form:
    lines, csv = compare.lines, compare.csv
    return Form(
        csv.delimiter, csv.quote, csv.header, tuple(map(re.compile, lines.ignore)), lines.trim,
        lines.blank == "ignore", lines.ends == "any",
    )  # fmt: skip
