"""One record as values and back: every byte round-trips, and what cannot be read is a finding, never a guess.

Values are str (trailing spaces taken off), exact Decimals, dicts for groups and lists for OCCURS. A packed or zoned
number of X'00' only (low-values, "not there") is None; in binary it is zero. Bytes that are no value of their field
stay bytes, and a finding says why. Where a value has several forms (the sign half bytes C and F, say), the record's
residue keeps the bytes that are not the preferred form, so that encode gives back what decode was given.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar

from config.errors import StranglerError
from legacy_adapter.codec.binary import from_binary, to_binary
from legacy_adapter.codec.layout import Field, Layout, Number, Text
from legacy_adapter.codec.number import UnreadableError, UnwritableError
from legacy_adapter.codec.packed import pack, unpack
from legacy_adapter.codec.zoned import from_zoned, to_zoned

CODEPAGE = "cp037"


@dataclass(frozen=True)
class Finding:
    """Bytes that are not what the copybook says: where (offset in the record), in which field, and what is wrong."""

    offset: int
    field: str
    what: str


@dataclass(frozen=True)
class Record:
    """A decoded record. `residue` maps field paths to bytes, `""` to a whole record of the wrong length."""

    values: dict[str, object]
    findings: tuple[Finding, ...] = ()
    residue: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(eq=False)
class EncodeRefused(StranglerError):
    """A value that cannot be written as the copybook says."""

    field: str
    what: str

    @property
    def sentence(self) -> str:
        """The field and what is wrong with its value, without the value."""
        return f"The value of {self.field} cannot be written: it {self.what}."


@dataclass(eq=False)
class CodepageUnknown(StranglerError):
    """A code page that Python does not have, or in which a character is not one byte."""

    codepage: str
    exit_code: ClassVar[int] = 2

    @property
    def sentence(self) -> str:
        """The name that was given."""
        return f"There is no single-byte code page {self.codepage!r}."

    @property
    def hint(self) -> str:
        """Examples of right ones."""
        return "Use for example cp037, cp1140, cp500 or ascii."


@lru_cache(maxsize=64)
def check_codepage(codepage: str) -> None:
    """Raises CodepageUnknown unless digits and spaces are one byte each in it."""
    try:
        length = len("0 ".encode(codepage))
    except (LookupError, ValueError) as problem:
        raise CodepageUnknown(codepage) from problem
    if length != 2:
        raise CodepageUnknown(codepage)


def decode(layout: Layout, data: bytes, codepage: str = CODEPAGE) -> Record:
    """The values in `data`; what is wrong with it is in the findings. Raises only CodepageUnknown."""
    check_codepage(codepage)
    if len(data) != layout.length:
        what = f"the record has {len(data)} bytes and the copybook {layout.length}"
        return Record({}, (Finding(min(len(data), layout.length), layout.name, what),), {"": bytes(data)})
    reader = _Reader(bytes(data), codepage)
    values = reader.group(layout.fields, "", 0)
    return Record(values, tuple(reader.findings), reader.residue)


@dataclass
class _Reader:
    data: bytes
    codepage: str
    findings: list[Finding] = field(default_factory=list)
    residue: dict[str, bytes] = field(default_factory=dict)

    def group(self, fields: tuple[Field, ...], path: str, shift: int) -> dict[str, object]:
        """`shift` is how far this occurrence lies behind the first one."""
        return {one.name: self.item(one, _below(path, one.name), shift) for one in fields}

    def item(self, one: Field, path: str, shift: int) -> object:
        if one.occurs is None:
            return self.occurrence(one, path, shift)
        return [self.occurrence(one, f"{path}[{i}]", shift + i * one.length) for i in range(one.occurs)]

    def occurrence(self, one: Field, path: str, shift: int) -> object:
        if one.form is None:
            return self.group(one.fields, path, shift)
        start = one.offset + shift
        raw = self.data[start : start + one.length]
        try:
            value = _read(one.form, raw, self.codepage)
        except UnreadableError as problem:
            self.findings.append(Finding(start, path, str(problem)))
            return raw
        if isinstance(value, str) and "\x00" in value:
            self.findings.append(Finding(start + raw.index(0), path, "X'00' inside text"))
        if not _is_preferred(one.form, value, raw, self.codepage):
            self.residue[path] = raw
        return value


def _read(form: Text | Number, raw: bytes, codepage: str) -> str | Decimal | None:
    if isinstance(form, Text):
        try:
            return raw.decode(codepage).rstrip(" ")
        except UnicodeDecodeError as problem:
            raise UnreadableError(f"byte {problem.start + 1} is no character of {codepage}") from None
    if form.usage == "comp":
        return from_binary(raw, form.digits, form.scale, signed=form.sign is not None)
    if not any(raw):
        return None
    if form.usage == "comp-3":
        return unpack(raw, form.digits, form.scale, signed=form.sign is not None)
    return from_zoned(raw, form.scale, form.sign, codepage)


def _write(form: Text | Number, value: object, codepage: str) -> bytes:
    if isinstance(value, bytes):
        if len(value) != form.length:
            raise UnwritableError(f"has {len(value)} bytes and not {form.length}")
        return value
    if isinstance(form, Text):
        return _text(value, form.length, codepage)
    if value is None and form.usage != "comp":
        return bytes(form.length)
    if form.usage == "comp":
        return to_binary(value, form.digits, form.scale, signed=form.sign is not None)
    if form.usage == "comp-3":
        return pack(value, form.digits, form.scale, signed=form.sign is not None)
    return to_zoned(value, form.digits, form.scale, form.sign, codepage)


def _is_preferred(form: Text | Number, value: object, raw: bytes, codepage: str) -> bool:
    try:
        return _write(form, value, codepage) == raw
    except UnwritableError:  # a code page with shift characters may need more bytes for the same text
        return False


def _text(value: object, length: int, codepage: str) -> bytes:
    if not isinstance(value, str):
        raise UnwritableError(f"is not text but {type(value).__name__}")
    try:
        raw = value.encode(codepage)
    except UnicodeEncodeError:
        raise UnwritableError(f"has a character that is not in {codepage}") from None
    if len(raw) > length:
        raise UnwritableError(f"is longer than {length} bytes")
    return raw + " ".encode(codepage) * (length - len(raw))


def encode(
    layout: Layout, values: Mapping[str, object], codepage: str = CODEPAGE, residue: Mapping[str, bytes] | None = None
) -> bytes:
    """The record of `values`; a FILLER may be left out, and of views that REDEFINE each other all but one.

    Raises EncodeRefused for a value that is missing, does not fit or contradicts another view of the same bytes.
    """
    check_codepage(codepage)
    if residue and "" in residue:
        return residue[""]
    writer = _Writer(bytearray(" ".encode(codepage) * layout.length), codepage, residue or {})
    writer.group(layout.fields, values, "", 0)
    return bytes(writer.data)


@dataclass
class _Writer:
    data: bytearray
    codepage: str
    residue: Mapping[str, bytes]

    def group(self, fields: tuple[Field, ...], values: object, path: str, shift: int) -> None:
        if not isinstance(values, Mapping):
            raise EncodeRefused(path or "the record", "is not an object with the group's fields")
        unknown = sorted(str(name) for name in values.keys() - {one.name for one in fields})
        if unknown:
            raise EncodeRefused(_below(path, unknown[0]), "belongs to no field of the copybook")
        for views in _storage(fields):
            given = [one for one in views if one.name in values]
            if not given and not views[0].is_filler:
                raise EncodeRefused(_below(path, views[0].name), "is missing")
            first = True
            for one in given:
                self.view(one, values[one.name], _below(path, one.name), shift, first=first)
                first = False

    def view(self, one: Field, value: object, path: str, shift: int, *, first: bool) -> None:
        start, end = one.offset + shift, one.offset + shift + one.size
        before = bytes(self.data[start:end])
        self.item(one, value, path, shift)
        if not first and bytes(self.data[start:end]) != before:
            raise EncodeRefused(path, "contradicts the view of the same bytes that it redefines; give only one")

    def item(self, one: Field, value: object, path: str, shift: int) -> None:
        if one.occurs is None:
            self.occurrence(one, value, path, shift)
            return
        if not isinstance(value, list | tuple) or len(value) != one.occurs:
            raise EncodeRefused(path, f"is not a list of {one.occurs}")
        for i, each in enumerate(value):
            self.occurrence(one, each, f"{path}[{i}]", shift + i * one.length)

    def occurrence(self, one: Field, value: object, path: str, shift: int) -> None:
        if one.form is None:
            self.group(one.fields, value, path, shift)
            return
        start = one.offset + shift
        try:
            raw = self.kept(one.form, value, path) or _write(one.form, value, self.codepage)
        except UnwritableError as problem:
            raise EncodeRefused(path, str(problem)) from None
        self.data[start : start + one.length] = raw

    def kept(self, form: Text | Number, value: object, path: str) -> bytes | None:
        """The bytes that the residue has for this field, if they still stand for this value."""
        raw = self.residue.get(path)
        if raw is None or len(raw) != form.length:
            return None
        try:
            return raw if _read(form, raw, self.codepage) == value else None
        except UnreadableError:
            return None


def _storage(fields: tuple[Field, ...]) -> Iterator[list[Field]]:
    """Fields in order, each with those that redefine it."""
    views: dict[str, list[Field]] = {}
    for one in fields:
        views.setdefault(one.redefines or one.name, []).append(one)
    yield from views.values()


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
