"""Which PostgreSQL type a legacy type becomes: our own table, which a file may override.

Money is numeric whatever it was; Oracle's DATE keeps its time; lengths stay. The first row that fits decides. A file
overrides by type, by type with arguments, or by column:

    oracle:
      RAW(16): uuid
      NUMBER: bigint
      ACCTMAST.FLAG: boolean
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from config.errors import USAGE, StranglerError
from migrations.importing.model import Untranslatable

TABLE_FILE = Path(__file__).with_name("types.table")


@dataclass(frozen=True)
class LegacyType:
    """A type as it is written: its name in upper case with all its words, and its arguments."""

    name: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({','.join(self.arguments)})" if self.arguments else self.name


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    when: str
    becomes: str
    note: str


@dataclass(eq=False)
class PolicyRefused(StranglerError):
    """A file of overrides that cannot be used."""

    path: Path
    problem: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The file and the problem."""
        return f"{self.path}: {self.problem}"

    @property
    def hint(self) -> str:
        """What the file looks like."""
        return "It is YAML: a dialect, below it lines such as `RAW(16): uuid` or `TABLE.COLUMN: boolean`."


def _rows() -> dict[tuple[str, str], list[Row]]:
    table: dict[tuple[str, str], list[Row]] = {}
    for line in TABLE_FILE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        dialect, name, when, becomes, note = (cell.strip() for cell in line.split("|", 4))
        table.setdefault((dialect, name), []).append(Row(when, becomes, note))
    return table


_ROWS = _rows()


@dataclass(frozen=True)
class TypePolicy:
    """The table of one dialect with the overrides of a file."""

    dialect: str
    overrides: Mapping[str, str] = field(default_factory=dict)

    def becomes(self, kind: LegacyType, column: str) -> tuple[str, str]:
        """The PostgreSQL type and a note. `column` is "TABLE.COLUMN". Raises Untranslatable."""
        for key in (column.upper(), str(kind), kind.name):
            if key in self.overrides:
                return self.overrides[key], f"{key} is overridden by the file of types"
        arguments = _normal(kind, self.dialect)
        for row in _ROWS.get((self.dialect, kind.name), ()):
            if _fits(row.when, arguments):
                return _written(row.becomes, arguments), row.note
        raise Untranslatable(
            f"the type {kind} has no row in the table of types: give {column.upper()} a type in a file (--types)"
        )


def _normal(kind: LegacyType, dialect: str) -> tuple[str, ...]:
    arguments = tuple(argument.upper().removesuffix(" CHAR").removesuffix(" BYTE") for argument in kind.arguments)
    if dialect == "oracle" and kind.name in ("NUMBER", "DECIMAL", "NUMERIC"):
        if not arguments or arguments == ("*",):
            return ()
        first = "38" if arguments[0] == "*" else arguments[0]
        return (first, arguments[1] if len(arguments) > 1 else "0")
    if (len(arguments) == 1 and "DECIMAL" in kind.name) or (kind.name == "NUMERIC" and len(arguments) == 1):
        return (arguments[0], "0")
    if dialect == "mysql" and kind.name in ("FLOAT", "DOUBLE"):
        return ()
    return arguments


def _fits(when: str, arguments: tuple[str, ...]) -> bool:
    values = dict(zip(("p", "s"), arguments, strict=False))
    for test in filter(None, when.split(",")):
        if test.startswith("args="):
            if len(arguments) != int(test[5:]):
                return False
        elif "<=" in test:
            name, _, limit = test.partition("<=")
            if not values.get(name, "").isdigit() or int(values[name]) > int(limit):
                return False
        else:
            name, _, value = test.partition("=")
            if values.get(name, "").lower() != value:
                return False
    return True


def _written(becomes: str, arguments: tuple[str, ...]) -> str:
    values = dict(zip(("p", "s"), arguments, strict=False))
    first = values.get("p", "6")
    values["f"] = str(min(int(first), 6)) if first.isdigit() else "6"
    try:
        return becomes.format(**values)
    except KeyError:
        raise Untranslatable("its length is not written") from None


def read_policy(dialect: str, path: Path | None) -> TypePolicy:
    """The table, with the overrides of a file. Raises PolicyRefused."""
    if path is None:
        return TypePolicy(dialect)
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise PolicyRefused(path, str(error).split("\n", 1)[0]) from error
    section = found.get(dialect, {}) if isinstance(found, dict) else None
    if not isinstance(section, dict) or not all(isinstance(value, str) for value in section.values()):
        raise PolicyRefused(path, f"there is no section {dialect!r} with a type a line")
    return TypePolicy(dialect, {str(key).upper().replace(" ", ""): value for key, value in section.items()})
