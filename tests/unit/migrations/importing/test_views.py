"""CREATE VIEW of three dialects is read with its names, its SELECT and nothing of its options."""

import pytest
import sqlglot

from migrations.importing.model import Object
from migrations.importing.script import statements
from migrations.importing.tokens import NotUnderstood
from migrations.importing.views import read_view, translated


@pytest.mark.parametrize(
    ("dialect", "text", "columns", "select"),
    [
        ("oracle", 'CREATE OR REPLACE FORCE VIEW "S"."V" ("A", "B") AS SELECT a||b, 1 FROM t;', ("a", "b"), "SELECT a||b, 1 FROM t"),
        ("oracle", "CREATE VIEW v AS SELECT a FROM t WITH READ ONLY;", (), "SELECT a FROM t"),
        ("tsql", "CREATE VIEW [dbo].[V] WITH SCHEMABINDING, VIEW_METADATA AS\nSELECT [a]\nFROM t", (), "SELECT [a] FROM t"),
        ("mysql", "/*!50001 CREATE ALGORITHM=MERGE */ /*!50013 DEFINER=`r`@`%` SQL SECURITY DEFINER */ /*!50001 VIEW `v` AS "
         "select 'it''s' AS `a` from `t` */;", (), "select 'it''s' AS `a` from `t`"),
    ],
)  # fmt: skip
def test_a_view_is_read(dialect: str, text: str, columns: tuple[str, ...], select: str) -> None:
    (statement,) = statements(text, dialect)
    view = read_view(statement, Object("", "view"), dialect)
    assert (view.name, view.columns, view.select) == ("v", columns, select)


def test_what_is_no_view_is_not_understood() -> None:
    (statement,) = statements("CREATE VIEW v", "oracle")
    with pytest.raises(NotUnderstood):
        read_view(statement, Object("", "view"), "oracle")


def test_a_view_that_nobody_translates_has_the_reason() -> None:
    (statement,) = statements("CREATE VIEW v AS SELECT a FROM t", "oracle")
    view = read_view(statement, Object("", "view"), "oracle")
    assert list(translated([view], {}, "oracle", lambda *_: ("", "it is odd"))) == []
    assert (view.object.confidence, view.object.findings[0].text) == (
        "left_out",
        "the view is not translated: it is odd",
    )


def test_a_string_of_mysql_is_read_again_as_it_was_written() -> None:
    text = r"""CREATE VIEW `v` AS select 'C:\\new' AS `a`, "it's" AS `b` from `t`"""
    (statement,) = statements(text, "mysql")
    select = read_view(statement, Object("", "view"), "mysql").select
    literals = [one.name for one in sqlglot.parse_one(select, dialect="mysql").find_all(sqlglot.exp.Literal)]
    assert sorted(literals) == [r"C:\new", "it's"]
