"""Defaults and checks become PostgreSQL's, or are refused; nothing passes through unread."""

import pytest

from migrations.importing.expressions import default_sql, expression_sql
from migrations.importing.model import Column, Table, Untranslatable
from migrations.importing.tokens import tokenize

TABLE = Table("t", [Column("amt", "numeric"), Column("on_hold", "boolean"), Column("name", "varchar(9)")])

DEFAULTS = [
    ("oracle", "SYSDATE", "timestamp(0)", "LOCALTIMESTAMP(0)"),
    ("oracle", "''", "text", None),
    ("oracle", '"S"."SEQ"."NEXTVAL"', "bigint", "nextval('public.seq'::regclass)"),
    ("oracle", "'it''s'", "text", "'it''s'"),
    ("tsql", "((0))", "numeric", "0"),
    ("tsql", "((1))", "boolean", "true"),
    ("tsql", "(N'x')", "text", "'x'"),
    ("tsql", "(getdate())", "timestamp(3)", "LOCALTIMESTAMP(3)"),
    ("tsql", "(newid())", "uuid", "gen_random_uuid()"),
    ("tsql", "(NEXT VALUE FOR [dbo].[Seq])", "bigint", "nextval('public.seq'::regclass)"),
    ("tsql", "((-1)-(2))", "integer", "(- 1) - (2)"),
    ("mysql", "CURRENT_TIMESTAMP(6)", "timestamp(6)", "CURRENT_TIMESTAMP(6)"),
    ("mysql", "b'1'", "boolean", "true"),
    ("mysql", "'0.00'", "numeric", "'0.00'"),
]


@pytest.mark.parametrize(("dialect", "text", "kind", "sql"), DEFAULTS)
def test_a_default_is_translated(dialect: str, text: str, kind: str, sql: str | None) -> None:
    assert default_sql(list(tokenize(text, dialect)), dialect, kind) == sql


CHECKS = [
    ("oracle", "AMT >= -5 AND NAME IN ('a', 'b')", "amt >= - 5 AND name IN ('a', 'b')"),
    ("tsql", "([Amt]>(0) AND [On_Hold]=(1))", "(amt > (0) AND on_hold = (true))"),
    ("tsql", "len([name])<>0", "length (name) <> 0"),
    ("oracle", "NVL(amt, 0) != 1", "COALESCE (amt, 0) <> 1"),
]


@pytest.mark.parametrize(("dialect", "text", "sql"), CHECKS)
def test_a_check_is_translated(dialect: str, text: str, sql: str) -> None:
    assert expression_sql(list(tokenize(text, dialect)), dialect, TABLE) == sql


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("oracle", "UNKNOWN_COLUMN > 1"),
        ("oracle", "REGEXP_LIKE(name, 'x')"),
        ("tsql", "[name] + N'x' = N'y'"),
        ("tsql", "[name] COLLATE x = N'y'"),
        ("mysql", "amt & 1"),
        ("oracle", "amt = :x"),
    ],
)
def test_what_is_not_known_has_no_equal(dialect: str, text: str) -> None:
    with pytest.raises(Untranslatable, match="has no equal here"):
        expression_sql(list(tokenize(text, dialect)), dialect, TABLE)


def test_the_date_zero_is_no_default() -> None:
    with pytest.raises(Untranslatable, match="date zero"):
        default_sql(list(tokenize("'0000-00-00 00:00:00'", "mysql")), "mysql", "timestamp(0)")
