"""Money stays numeric, dates keep their time, and what has no row is refused with the way to give it one."""

from pathlib import Path

import pytest

from migrations.importing.model import Untranslatable
from migrations.importing.type_policy import LegacyType, PolicyRefused, TypePolicy, read_policy

CASES = [
    ("oracle", "NUMBER", ("4",), "smallint"),
    ("oracle", "NUMBER", ("10", "0"), "bigint"),
    ("oracle", "NUMBER", ("19",), "numeric(19,0)"),
    ("oracle", "NUMBER", ("14", "2"), "numeric(14,2)"),
    ("oracle", "NUMBER", (), "numeric"),
    ("oracle", "NUMBER", ("*",), "numeric"),
    ("oracle", "NUMBER", ("*", "2"), "numeric(38,2)"),
    ("oracle", "NUMBER", ("5", "-2"), "numeric(5,-2)"),
    ("oracle", "FLOAT", ("126",), "numeric"),
    ("oracle", "DATE", (), "timestamp(0)"),
    ("oracle", "TIMESTAMP", ("9",), "timestamp(6)"),
    ("oracle", "TIMESTAMP WITH LOCAL TIME ZONE", ("3",), "timestamptz(3)"),
    ("oracle", "VARCHAR2", ("30 CHAR",), "varchar(30)"),
    ("oracle", "LONG", (), "text"),
    ("tsql", "MONEY", (), "numeric(19,4)"),
    ("tsql", "NVARCHAR", ("max",), "text"),
    ("tsql", "BIT", (), "boolean"),
    ("tsql", "DATETIME2", (), "timestamp(6)"),
    ("tsql", "DECIMAL", ("9",), "numeric(9,0)"),
    ("mysql", "INT UNSIGNED", (), "bigint"),
    ("mysql", "TINYINT", ("1",), "boolean"),
    ("mysql", "DATETIME", (), "timestamp(0)"),
    ("mysql", "BIGINT UNSIGNED", (), "numeric(20)"),
]


@pytest.mark.parametrize(("dialect", "name", "arguments", "becomes"), CASES)
def test_a_type_becomes_what_the_table_says(dialect: str, name: str, arguments: tuple[str, ...], becomes: str) -> None:
    assert TypePolicy(dialect).becomes(LegacyType(name, arguments), "t.c")[0] == becomes


def test_a_type_without_a_row_is_refused_with_the_remedy() -> None:
    with pytest.raises(Untranslatable, match=r"SDO_GEOMETRY has no row .* give T\.C a type in a file \(--types\)"):
        TypePolicy("oracle").becomes(LegacyType("SDO_GEOMETRY"), "t.c")


def test_a_file_overrides_by_column_by_type_with_arguments_and_by_type(tmp_path: Path) -> None:
    file = tmp_path / "types.yaml"
    file.write_text("oracle:\n  RAW(16): uuid\n  RAW: text\n  T.FLAG: boolean\n")
    policy = read_policy("oracle", file)
    assert policy.becomes(LegacyType("RAW", ("16",)), "t.c")[0] == "uuid"
    assert policy.becomes(LegacyType("RAW", ("8",)), "t.c")[0] == "text"
    assert policy.becomes(LegacyType("CHAR", ("1",)), "t.flag")[0] == "boolean"
    assert policy.becomes(LegacyType("CHAR", ("1",)), "t.other")[0] == "char(1)"


@pytest.mark.parametrize("text", ["- a list", "oracle: [1]", "oracle: {RAW: 5}", "{"])
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "types.yaml"
    file.write_text(text)
    with pytest.raises(PolicyRefused, match=r"types\.yaml"):
        read_policy("oracle", file)
