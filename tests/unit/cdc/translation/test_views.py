"""A view's SELECT becomes PostgreSQL's over tables that are there, or has a reason; it is never passed through."""

import pytest

from cdc.translation.views import translated_view

TABLES = {
    "a": [
        ("id", "integer", True),
        ("name", "varchar(20)", False),
        ("bal", "numeric(12,2)", True),
        ("ok", "boolean", True),
        ("sts", "char(1)", True),
    ],
    "b": [("id", "integer", True), ("txt", "varchar(9)", True)],
}

MADE = [
    ("oracle", "SELECT NAME, BAL / 100 FROM CORE.A", ("n", "m"), "SELECT a.name AS n, (a.bal * 0.01) AS m FROM public.a AS a"),
    ("oracle", "SELECT x.ID AS id, b.TXT AS t FROM A x LEFT JOIN B b ON b.ID = x.ID WHERE x.BAL > 0", (),
     "SELECT x.id AS id, b.txt AS t FROM public.a AS x LEFT JOIN public.b AS b ON b.id = x.id WHERE x.bal > 0"),
    ("oracle", "SELECT a.ID AS id FROM A a, B b WHERE a.ID = b.ID", (),
     "SELECT a.id AS id FROM public.a AS a CROSS JOIN public.b AS b WHERE a.id = b.id"),
    ("oracle", "SELECT ID AS id FROM A WHERE STS = 'X'", (), "SELECT a.id AS id FROM public.a AS a WHERE a.sts = 'X'"),
    ("tsql", "SELECT a.[Id] FROM [dbo].[A] a INNER JOIN dbo.B b ON a.Id = b.Id WHERE 0 <> a.Ok", (),
     "SELECT a.id AS id FROM public.a AS a JOIN public.b AS b ON a.id = b.id WHERE a.ok <> false"),
    ("mysql", "select `a`.`id` AS `id` from ((`a` join `b` on((`a`.`id` = `b`.`id`))) left join `b` `c` on((`c`.`id` = `b`.`id`)))",
     (), "SELECT a.id AS id FROM public.a AS a JOIN public.b AS b ON a.id = b.id LEFT JOIN public.b AS c ON c.id = b.id"),
]  # fmt: skip
REFUSED = [
    ("oracle", "SELECT SUM(bal) AS s FROM a GROUP BY id", (), "GROUP BY"),
    ("oracle", "SELECT a.id FROM a, b WHERE a.id = b.id(+)", (), "(+)"),
    ("oracle", "SELECT id FROM a UNION SELECT id FROM b", (), "UNION"),
    ("oracle", "SELECT SYSDATE AS d FROM a", (), "the current time"),
    ("oracle", "SELECT id FROM a ORDER BY 1", (), "ORDER BY"),
    ("oracle", "SELECT id AS x FROM a JOIN b ON a.id = b.id", (), "id is a column of two tables"),
    ("oracle", "SELECT nothing AS x FROM a", (), "nothing is a column of no table"),
    ("oracle", "SELECT c.id AS x FROM a", (), "c is no table of the view"),
    ("oracle", "SELECT a.no AS x FROM a", (), "there is no column no in a"),
    ("oracle", "SELECT id FROM elsewhere", (), "elsewhere, which is no table"),
    ("oracle", "SELECT id, name FROM a", ("x",), "names 1 columns and selects 2"),
    ("oracle", "SELECT id + 1 FROM a", (), "column 1 has no name"),
    ("oracle", "SELECT a.id AS i FROM a JOIN b USING (id)", (), "USING or NATURAL"),
    ("oracle", "SELECT a.id AS i FROM a JOIN a ON 1 = 1", (), "two of its tables have one name"),
    ("oracle", "SELECT a.id AS i FROM a JOIN b ON a.id = (SELECT 1 FROM b)", (), "a sub-query"),
    ("oracle", "SELECT q.id AS i FROM (SELECT id FROM a) q", (), "a sub-query"),
    ("oracle", "SELECT TO_DATE(name, 'YYYYMMDD') AS d FROM a", (), "functions of schema strangler"),
    ("oracle", "SELECT myfunc(name) AS d FROM a", (), "not known to mean the same"),
    ("oracle", "SELECT id FROM a WHERE", (), ""),
    ("mysql", "select 1 AS `id`", (), "has no FROM"),
    ("mysql", "select `a`.`id` AS `id` from (`a` join (`b` join `b` `c`) on(true))", (), "FROM is not translated"),
]


@pytest.mark.parametrize(("dialect", "select", "names", "made"), MADE, ids=[one[1] for one in MADE])
def test_a_view_is_translated(dialect: str, select: str, names: tuple[str, ...], made: str) -> None:
    assert translated_view(select, dialect, names, TABLES) == (made, "")


@pytest.mark.parametrize(("dialect", "select", "names", "reason"), REFUSED, ids=[one[1] for one in REFUSED])
def test_a_view_that_is_not_understood_has_its_reason(
    dialect: str, select: str, names: tuple[str, ...], reason: str
) -> None:
    made, said = translated_view(select, dialect, names, TABLES)
    assert made == ""
    assert said
    assert reason in said


def test_a_column_beside_an_outer_join_may_be_null() -> None:
    concatenated = "SELECT CONCAT(b.txt, 'x') AS t FROM a {} JOIN b ON a.id = b.id"
    assert translated_view(concatenated.format(""), "mysql", (), TABLES)[0]
    oracle = "SELECT b.txt || 'x' AS t FROM a {} JOIN b ON a.id = b.id"
    inner, outer = (translated_view(oracle.format(side), "oracle", (), TABLES)[0] for side in ("", "LEFT"))
    assert inner.replace(" JOIN", " LEFT JOIN") != outer  # Oracle joins NULL as an empty text
