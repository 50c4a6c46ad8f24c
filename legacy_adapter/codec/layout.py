"""What a copybook says, as an immutable layout: each field with its place, its length and its form."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from legacy_adapter.codec.binary import binary_length
from legacy_adapter.codec.packed import packed_length
from legacy_adapter.codec.zoned import Sign

Usage = Literal["display", "comp", "comp-3"]


@dataclass(frozen=True)
class Text:
    """PIC X or A: characters, padded with spaces."""

    length: int


@dataclass(frozen=True)
class Number:
    """PIC 9 in one of its usages; `sign` is None where the picture has no S, and counts only for DISPLAY."""

    usage: Usage
    digits: int
    scale: int
    sign: Sign | None

    @property
    def length(self) -> int:
        """Bytes in the record."""
        if self.usage == "comp":
            return binary_length(self.digits)
        if self.usage == "comp-3":
            return packed_length(self.digits)
        return self.digits + (self.sign is not None and self.sign.separate)


@dataclass(frozen=True)
class Field:
    """One data item. `offset` is that of its first occurrence from the start of the record, in bytes;
    `length` is one occurrence; `form` is None for a group. Names are unique beside each other."""

    name: str
    offset: int
    length: int
    form: Text | Number | None = None
    fields: tuple["Field", ...] = ()
    occurs: int | None = None
    redefines: str | None = None
    is_filler: bool = False

    @property
    def size(self) -> int:
        """Bytes of all its occurrences."""
        return self.length * (self.occurs or 1)


@dataclass(frozen=True)
class Layout:
    """A record: its name, its fields in order and its length in bytes."""

    name: str
    fields: tuple[Field, ...]
    length: int

    def walk(self) -> Iterator[Field]:
        """Every field, groups before what they hold."""
        pending = list(reversed(self.fields))
        while pending:
            field = pending.pop()
            yield field
            pending.extend(reversed(field.fields))
