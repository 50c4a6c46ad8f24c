"""A COBOL copybook as a record layout; what is not supported is refused by name and line, never skipped."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from config.errors import StranglerError
from legacy_adapter.codec.copybook_text import Word, statements
from legacy_adapter.codec.layout import Field, Layout, Number, Text, Usage
from legacy_adapter.codec.picture import Picture, parse_picture
from legacy_adapter.codec.zoned import Sign

_USAGES: dict[str, Usage] = {
    "DISPLAY": "display",
    "COMP": "comp",
    "COMPUTATIONAL": "comp",
    "COMP-4": "comp",
    "COMPUTATIONAL-4": "comp",
    "BINARY": "comp",
    "COMP-3": "comp-3",
    "COMPUTATIONAL-3": "comp-3",
    "PACKED-DECIMAL": "comp-3",
}
_DIGITS_MAX: dict[Usage, int] = {"display": 31, "comp": 18, "comp-3": 31}
_CONDITION_LEVEL = 88


@dataclass(eq=False)
class CopybookRefused(StranglerError):
    """A copybook that cannot be read as a layout."""

    line: int
    token: str
    what: str
    exit_code: ClassVar[int] = 2

    @property
    def sentence(self) -> str:
        """The line, the word and what is wrong with it."""
        return f"Line {self.line} of the copybook: {self.token!r} {self.what}."


@dataclass
class _Entry:
    """One data description entry while the copybook is read."""

    level: int
    name: Word
    picture: Picture | None = None
    usage: Usage | None = None
    sign: Sign | None = None
    occurs: int | None = None
    redefines: str | None = None
    children: list["_Entry"] = field(default_factory=list)

    @property
    def is_filler(self) -> bool:
        return self.name.upper == "FILLER"


def parse_copybook(text: str) -> Layout:
    """The layout of the one record that `text` describes (with or without its 01 level); raises CopybookRefused."""
    entries = [entry for entry in map(_entry, statements(text)) if entry is not None]
    if not entries:
        raise CopybookRefused(1, "", "describes no field")
    root = _tree(entries)
    fields = _place(root.children, 0, root)
    return Layout(root.name.upper, fields, _end(fields, 0))


def _entry(words: list[Word]) -> _Entry | None:
    level = words[0]
    number = int(level.text) if level.text.isascii() and level.text.isdecimal() and len(level.text) <= 2 else 0
    if number == _CONDITION_LEVEL:
        return None
    if not 1 <= number <= 49:
        raise CopybookRefused(level.line, level.text, "is not a level number from 01 to 49, or 88")
    # The name may be left out, which is FILLER (Enterprise COBOL Language Reference, data description entry).
    unnamed = len(words) == 1 or words[1].upper in _CLAUSES or words[1].upper in _USAGES
    entry = _Entry(number, Word("FILLER", level.line) if unnamed else words[1])
    rest = words[1:] if unnamed else words[2:]
    while rest:
        clause = _CLAUSES.get(rest[0].upper, _usage)
        rest = clause(entry, rest)
    return entry


def _operand(words: list[Word], *optional: str) -> tuple[Word, list[Word]]:
    rest = words[1:]
    while rest and rest[0].upper in optional:
        rest = rest[1:]
    if not rest:
        raise CopybookRefused(words[0].line, words[0].text, "needs an operand")
    return rest[0], rest[1:]


def _picture(entry: _Entry, words: list[Word]) -> list[Word]:
    text, rest = _operand(words, "IS")
    entry.picture = parse_picture(text.text)
    if entry.picture is None:
        raise CopybookRefused(text.line, text.text, "is not a picture of X, A, 9, S and V")
    return rest


def _usage(entry: _Entry, words: list[Word]) -> list[Word]:
    word, rest = _operand(words, "IS") if words[0].upper == "USAGE" else (words[0], words[1:])
    if word.upper not in _USAGES:
        raise CopybookRefused(word.line, word.text, "is not supported in a copybook")
    entry.usage = _USAGES[word.upper]
    return rest


def _sign(entry: _Entry, words: list[Word]) -> list[Word]:
    place, rest = _operand(words, "IS") if words[0].upper == "SIGN" else (words[0], words[1:])
    if place.upper not in ("LEADING", "TRAILING"):
        raise CopybookRefused(place.line, place.text, "is not LEADING or TRAILING")
    separate = bool(rest) and rest[0].upper == "SEPARATE"
    entry.sign = Sign(leading=place.upper == "LEADING", separate=separate)
    rest = rest[1:] if separate else rest
    return rest[1:] if separate and rest and rest[0].upper == "CHARACTER" else rest


def _occurs(entry: _Entry, words: list[Word]) -> list[Word]:
    count, rest = _operand(words)
    if any(word.upper in ("TO", "DEPENDING") for word in rest[:4]):
        raise CopybookRefused(count.line, "OCCURS DEPENDING ON", "is not supported; describe the longest record")
    if not (count.text.isascii() and count.text.isdecimal() and 0 < int(count.text) <= 1_000_000):
        raise CopybookRefused(count.line, count.text, "is not a number of occurrences")
    entry.occurs = int(count.text)
    rest = rest[1:] if rest and rest[0].upper == "TIMES" else rest
    if rest and rest[0].upper == "INDEXED":  # an index is no data: it takes no byte of the record
        rest = _operand(rest, "BY")[1]
    return rest


def _redefines(entry: _Entry, words: list[Word]) -> list[Word]:
    name, rest = _operand(words)
    entry.redefines = name.upper
    return rest


def _value(_: _Entry, words: list[Word]) -> list[Word]:
    return _operand(words, "IS", "ARE")[1]  # an initial value says nothing about the layout


_CLAUSES: dict[str, Callable[[_Entry, list[Word]], list[Word]]] = {
    "PIC": _picture,
    "PICTURE": _picture,
    "USAGE": _usage,
    "SIGN": _sign,
    "LEADING": _sign,
    "TRAILING": _sign,
    "OCCURS": _occurs,
    "REDEFINES": _redefines,
    "VALUE": _value,
}


def _tree(entries: list[_Entry]) -> _Entry:
    root = entries[0] if entries[0].level == 1 else _Entry(0, Word("RECORD", entries[0].name.line))
    if root.picture is not None or root.occurs or root.redefines:
        raise CopybookRefused(root.name.line, root.name.text, "must be a group without OCCURS or REDEFINES at level 01")
    path = [root]
    for entry in entries[1:] if root is entries[0] else entries:
        if entry.level == 1:
            raise CopybookRefused(entry.name.line, entry.name.text, "is a second record; one copybook describes one")
        while path[-1].level >= entry.level:
            path.pop()
        parent = path[-1]
        if parent.picture is not None:
            raise CopybookRefused(entry.name.line, entry.name.text, f"is below {parent.name.text}, which has a picture")
        if parent.children and parent.children[0].level != entry.level:
            raise CopybookRefused(entry.name.line, entry.name.text, "has a level that its neighbours do not have")
        parent.children.append(entry)
        path.append(entry)
    return root


def _place(entries: list[_Entry], offset: int, parent: _Entry) -> tuple[Field, ...]:
    """Fields one after the other, except where one redefines an earlier one."""
    placed: list[Field] = []
    names: set[str] = set()
    for entry in entries:
        entry.usage, entry.sign = entry.usage or parent.usage, entry.sign or parent.sign
        name = _unique(entry, names)
        if entry.redefines is None:
            placed.append(_field(entry, name, _end(placed, offset)))
            continue
        first = next((one for one in placed if one.name == entry.redefines), None)
        if first is None or first.redefines:
            raise CopybookRefused(entry.name.line, entry.redefines, "is no field at this level that can be redefined")
        view = _field(entry, name, first.offset)
        if view.size > first.size or first.offset + first.size != _end(placed, offset):
            raise CopybookRefused(entry.name.line, entry.name.text, f"does not fit over {first.name}")
        placed.append(view)
    return tuple(placed)


def _field(entry: _Entry, name: str, offset: int) -> Field:
    one = Field(name, offset, 0, occurs=entry.occurs, redefines=entry.redefines, is_filler=entry.is_filler)
    if entry.children:
        fields = _place(entry.children, offset, entry)
        return replace(one, fields=fields, length=_end(fields, offset) - offset)
    form = _form(entry)
    return replace(one, form=form, length=form.length)


def _form(entry: _Entry) -> Text | Number:
    picture, usage = entry.picture, entry.usage or "display"
    if picture is None:
        raise CopybookRefused(entry.name.line, entry.name.text, "has neither a picture nor fields below it")
    if not picture.is_number:
        if usage != "display":
            raise CopybookRefused(entry.name.line, entry.name.text, f"is text and cannot be {usage.upper()}")
        return Text(picture.size)
    if picture.size > _DIGITS_MAX[usage]:
        raise CopybookRefused(entry.name.line, entry.name.text, f"has more than {_DIGITS_MAX[usage]} digits")
    return Number(usage, picture.size, picture.scale, (entry.sign or Sign()) if picture.is_signed else None)


def _unique(entry: _Entry, names: set[str]) -> str:
    name = entry.name.upper
    if entry.is_filler:
        count = sum(known.startswith("FILLER") for known in names)
        name = f"FILLER-{count + 1}" if count else name
    if name in names:
        raise CopybookRefused(entry.name.line, entry.name.text, "is there twice at this level")
    names.add(name)
    return name


def _end(fields: list[Field] | tuple[Field, ...], start: int) -> int:
    return max((one.offset + one.size for one in fields), default=start)
