"""What cannot be read is refused with file, line, column and word, whatever is wrong with it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.translation.parse import parse_mapping
from cdc.translation.refusals import NOWHERE, Place, Refusal
from tests.support.mapping_files import refused, table

SOURCE = table("s", "id integer, c text?, d character(9)?")
TARGET = table("t", "id integer, v text?")
HEADER = "-- target: t\n-- key: id\n-- dialect: {}\n"
GOOD = "SELECT ID AS id,\n       CASE WHEN C = 'x' THEN UPPER(D) ELSE 'y' END AS v\nFROM s\nWHERE ID > 3\n"


@pytest.mark.parametrize(
    ("dialect", "select", "sentence"),
    [
        (
            "oracle",
            "SELECT ID AS id,\n  UPPER((C AS v FROM s",
            "t.sql:5:17: this is not oracle SQL that can be read, at 'FROM': expecting ) before it",
        ),
        (
            "oracle",
            "SELECT ID AS id,\n  C + AS v\nFROM s",
            "t.sql:5:7: this is not oracle SQL that can be read, at 'AS': a part of ADD is missing before it",
        ),
        (
            "oracle",
            "SELECT ID AS id,\n C AS v\n FORM s",
            "t.sql:6:2: this is not oracle SQL that can be read, at 'FORM': this word is not expected here",
        ),
        (
            "tsql",
            "SELECT [ID] AS id, [C AS v FROM s",
            "t.sql:4:20: this is not tsql SQL that can be read: [ is opened and never closed",
        ),
        (
            "mysql",
            "SELECT `ID` AS id, -- it's\n 'abc AS v FROM s",
            "t.sql:5:2: this is not mysql SQL that can be read: ' is opened and never closed",
        ),
        (
            "oracle",
            "SELECT ID AS id /* key, C AS v FROM s",
            "t.sql:4:17: this is not oracle SQL that can be read: /* is opened and never closed",
        ),
        (
            "mysql",
            "SELECT " + "(" * 3000 + "C" + ")" * 3000 + " AS v FROM s",
            "t.sql: this is not mysql SQL that can be read: it nests too deeply",
        ),
        (
            "db2",
            "SELECT ID AS ID,\n  C CONCAT D AS V FROM S",
            "t.sql:5:5: CONCAT between its operands is outside of the subset of DB2",
        ),
        (
            "oracle",
            "SELECT ID AS id,\n  FOO(C) AS v FROM s",
            "t.sql:5:3: v: FOO is not known to mean the same in PostgreSQL",
        ),
        ("oracle", "SELECT s.ID AS id, C AS v FROM s\n  JOIN p ON p.ID = s.ID", "t.sql:5:8: a join is not translated"),
        (
            "oracle",
            "SELECT ID AS id, C AS v\nFROM s -- reverse\n-- reverse:\nSELECT v + AS c FROM t",
            "t.sql:7:12: this is not postgres SQL that can be read, at 'AS'",
        ),
    ],
)
def test_the_place_and_the_word_are_named(tmp_path: Path, dialect: str, select: str, sentence: str) -> None:
    (problem, *_) = refused(tmp_path, select, SOURCE, TARGET, dialect)
    assert problem.sentence.startswith(f"{tmp_path}/{sentence}")
    assert problem.remedy


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["oracle", "tsql", "mysql", "postgres", "db2"]), st.data())
def test_a_statement_with_a_slip_of_the_pen_is_read_or_refused_on_a_line_of_the_file(
    dialect: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    text = (
        HEADER.format(dialect)
        + GOOD[:at]
        + data.draw(st.sampled_from(["", "'", "(", ")", "?", "]", "/*", ";", "\0"]))
        + GOOD[at + 1 :]
    )
    place = where_refused(text)
    lines = text.split("\n")
    assert 0 <= place.line <= len(lines)
    assert 0 <= place.at <= max(map(len, lines)) + 1


def where_refused(text: str) -> Place:
    try:
        parse_mapping(Path("t.sql"), text)
    except Refusal as refusal:
        return refusal.place
    return NOWHERE
