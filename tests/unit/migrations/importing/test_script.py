"""Statements end where the dialect's own client would send them; none is lost."""

from hypothesis import given
from hypothesis import strategies as st

from migrations.importing.script import statements
from migrations.importing.tokens import DIALECTS, tokenize

BLOCK = """CREATE OR REPLACE EDITIONABLE TRIGGER "A"."T" BEFORE UPDATE ON "A"."X" BEGIN
  a := 1 / 2; b := 2;
END;
/
"""


def heads(text: str, dialect: str) -> list[str]:
    return [" ".join(token.text for token in found.tokens[:3]) for found in statements(text, dialect)]


def test_a_block_of_oracle_ends_at_a_slash_alone() -> None:
    text = f"SET LONG 9\nPROMPT hello ; there\nCREATE SEQUENCE s;\n{BLOCK}ALTER TRIGGER t ENABLE;\nGRANT x TO y;"
    assert heads(text, "oracle") == [
        "SET LONG 9",
        "PROMPT hello ;",
        "CREATE SEQUENCE s",
        "CREATE OR REPLACE",
        "ALTER TRIGGER t",
        "GRANT x TO",
    ]


def test_a_batch_of_sql_server_ends_at_go() -> None:
    text = "USE [x]\nGO\nCREATE PROC p AS\nBEGIN\nSET NOCOUNT ON;\nSELECT 1;\nEND\nGO\nCREATE TABLE t(\n[go] int)\nALTER TABLE t ADD x int\nGO 2\n"
    assert heads(text, "tsql") == ["USE [x]", "CREATE PROC p", "CREATE TABLE t", "ALTER TABLE t"]


def test_a_routine_of_mysql_ends_at_its_delimiter() -> None:
    text = "SET x;\nDELIMITER ;;\nCREATE PROCEDURE p()\nBEGIN\n SELECT 1;\nEND ;;\nDELIMITER ;\nDROP TABLE t;"
    assert heads(text, "mysql") == ["SET x", "CREATE PROCEDURE p", "DROP TABLE t"]


WORDS = st.lists(st.sampled_from(["CREATE", "TABLE", "t", "(", ")", ";", "GO", "/", "\n", "x", "BEGIN", "END", "SET"]))


@given(WORDS, st.sampled_from(DIALECTS))
def test_no_token_is_lost_but_the_terminators(words: list[str], dialect: str) -> None:
    text = " ".join(words)
    kept = [token for found in statements(text, dialect) for token in found.tokens]
    missing = set(tokenize(text, dialect)) - set(kept)
    assert {token.text for token in missing} <= {";", "GO", "/"}
