"""PostgreSQL's types as mappings need them: families, ranges of numbers, names that quote themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

_SHAPE = re.compile(r'^("?[a-z_][a-z0-9_." ]*?"?)(?:\((\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?((?:\[\])*)$')
_CANONICAL = {
    "character": "bpchar",
    "character varying": "varchar",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "integer": "integer",
}
_FAMILIES = {
    "smallint": "number",
    "integer": "number",
    "bigint": "number",
    "numeric": "number",
    "real": "float",
    "double precision": "float",
    "text": "text",
    "varchar": "text",
    "bpchar": "text",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "boolean": "boolean",
    "some text": "text",  # PostgreSQL decides between text, varchar and bpchar: cast it where it matters
    "some number": "number",  # as written, PostgreSQL decides between integer and numeric
}
_WHOLE_MAX = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


@dataclass(frozen=True)
class SqlType:
    """A type without its modifier (`base`), and the modifier: length, or precision and scale, or fraction digits.

    `most` is the greatest absolute value and `scale` the digits after the point; None means that neither is known.
    `is_tight` says that no text of it ends in blanks, so that char(n) holds it as it is.
    """

    base: str
    length: int | None = None
    most: Decimal | None = None
    scale: int | None = None
    is_tight: bool = False

    @property
    def family(self) -> str:
        """What it can be compared with and assigned to without a cast: number, text, date ... or other."""
        return _FAMILIES.get(self.base, "other")

    @property
    def is_whole(self) -> bool:
        """Whether it is one of the binary integers."""
        return self.base in _WHOLE_MAX

    @property
    def is_padded(self) -> bool:
        """Whether it is char(n), whose trailing blanks mean nothing in a comparison."""
        return self.base == "bpchar"

    def without_limits(self) -> SqlType:
        """The same type with nothing known about its values."""
        return replace(self, length=None, most=None, scale=None)

    def holding(self, values: Sequence[str | Decimal | None]) -> SqlType:
        """The type of a choice between literals."""
        texts = [value for value in values if isinstance(value, str)]
        numbers = [value for value in values if isinstance(value, Decimal)]
        if texts:
            return SqlType("some text", length=max(map(len, texts)), is_tight=True)
        if numbers:
            scale = max(max(-int(value.as_tuple().exponent), 0) for value in numbers)
            return SqlType("some number", most=max(map(abs, numbers)), scale=scale)
        return self.without_limits()


NULL = SqlType("null")
TEXT = SqlType("text")
BOOLEAN = SqlType("boolean")
NUMERIC = SqlType("numeric")
DATE = SqlType("date")
INTEGER = SqlType("integer", most=Decimal(2**31 - 1), scale=0)


def parse_type(text: str) -> SqlType:
    """Read a type as format_type prints it; what we do not know comes back as its own family `other`."""
    match = _SHAPE.match(text)
    if match is None or match[5]:
        return SqlType(text)
    name, first, second, zone = match[1].strip(), match[2], match[3], match[4] or ""
    base = _CANONICAL.get(name + zone, name + zone)
    number = int(first) if first else None
    if base in _WHOLE_MAX:
        return SqlType(base, most=Decimal(_WHOLE_MAX[base]), scale=0)
    if base == "numeric":
        return numeric(number, int(second or 0)) if number is not None else NUMERIC
    if base == "bpchar" and number is None and name == "character":
        number = 1
    return SqlType(base, length=number)


def numeric(precision: int, scale: int) -> SqlType:
    """numeric(precision, scale) with the range that follows from it."""
    return SqlType("numeric", most=Decimal(10**precision - 1).scaleb(-scale), scale=max(scale, 0))


# Words that PostgreSQL 14 to 18 do not take as a column name or a table name without quotes.
_WORDS = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
returning right select session_user similar some symmetric system_user table tablesample then to trailing true union
unique user using variadic verbose when where window with
"""
_RESERVED = frozenset(_WORDS.split())
_PLAIN = re.compile(r"^[a-z_][a-z0-9_]*$")


def quoted(name: str) -> str:
    """A column's name as SQL: with quotes only where it needs them, so that people can read the statement."""
    if _PLAIN.match(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def quoted_table(name: str) -> str:
    """A table's name as this package writes it ("table" or "schema.table") as SQL, always with its schema."""
    schema, _, table = name.rpartition(".")
    return f"{quoted(schema or 'public')}.{quoted(table)}"


def literal(value: str) -> str:
    """A text as an SQL literal; independent of standard_conforming_strings."""
    escaped = value.replace("'", "''")
    return "E'" + escaped.replace("\\", "\\\\") + "'" if "\\" in value else f"'{escaped}'"
