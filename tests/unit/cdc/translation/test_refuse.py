"""Each construct of the refuse list is refused by its name, with a reason and a remedy, on its line."""

from pathlib import Path

import pytest

from tests.support.mapping_files import refused, table

SOURCE = table("s", "id integer, a text?, b text, d date?, n numeric(12,2)")
TARGET = table("t", "id integer, v text?")

ORACLE = [
    ("SELECT ID AS id, PARENT.A AS v FROM s, PARENT WHERE s.ID = PARENT.ID(+)", "(+)"),
    ("SELECT s.ID AS id, B AS v FROM s JOIN p ON p.ID = s.ID", "a join"),
    ("SELECT ID AS id, B AS v FROM s, p", "a join"),
    ("SELECT ID AS id, B AS v FROM s CONNECT BY PRIOR A = B", "CONNECT BY"),
    ("SELECT ID AS id, MAX(A) KEEP (DENSE_RANK FIRST ORDER BY B) AS v FROM s", "KEEP (DENSE_RANK)"),
    ("SELECT ID AS id, ROW_NUMBER() OVER (ORDER BY B) AS v FROM s", "a window function"),
    ("SELECT ID AS id, MAX(B) AS v FROM s GROUP BY ID", "an aggregate"),
    ("SELECT ID AS id, B AS v FROM s GROUP BY ID, B", "GROUP BY, HAVING or DISTINCT"),
    ("SELECT DISTINCT ID AS id, B AS v FROM s", "GROUP BY, HAVING or DISTINCT"),
    ("SELECT ID AS id, B AS v FROM s ORDER BY 1", "ORDER BY, LIMIT, TOP or OFFSET"),
    ("SELECT ID AS id, B AS v FROM s FETCH FIRST 5 ROWS ONLY", "ORDER BY, LIMIT, TOP or OFFSET"),
    ("WITH w AS (SELECT 1 x FROM s) SELECT ID AS id, B AS v FROM s", "WITH (a common table expression)"),
    ("SELECT ID AS id, (SELECT MAX(B) FROM p) AS v FROM s", "a sub-query"),
    ("SELECT ID AS id, B AS v FROM s WHERE ID IN (SELECT ID FROM p)", "a sub-query"),
    ("SELECT ID AS id, B AS v FROM s WITH CHECK OPTION", "WITH CHECK OPTION"),
    ("SELECT ID AS id, B AS v FROM s FOR UPDATE", "FOR UPDATE"),
    ("SELECT /*+ FULL(s) */ ID AS id, B AS v FROM s", "a hint or an option"),
    ("SELECT ID AS id, B AS v FROM s SAMPLE(10)", "a sample, a partition or a version of a table"),
    ("SELECT ID AS id, B AS v FROM s PARTITION (p1)", "a sample, a partition or a version of a table"),
    ("SELECT ID AS id, B AS v FROM s AS OF SCN 5", "a sample, a partition or a version of a table"),
    ("SELECT ID AS id, B AS v FROM s@remote", "a database link"),
    ("SELECT 1 AS id, 'x' AS v FROM DUAL", "DUAL"),
    ("SELECT ID AS id, B AS v FROM TABLE(f())", "TABLE(function)"),
    ("SELECT ID AS id, B AS v FROM s PIVOT (SUM(N) FOR B IN (1, 2))", "PIVOT"),
    ("SELECT * FROM s", "SELECT *"),
    ("SELECT ID AS id, :b AS v FROM s", "a parameter"),
    ("SELECT ID AS id, SYSDATE AS v FROM s", "the current time"),
    ("SELECT ID AS id, SYSTIMESTAMP AS v FROM s", "the current time"),
    ("SELECT ID AS id, SYS_GUID() AS v FROM s", "a random value"),
    ("SELECT ID AS id, USER() AS v FROM s", "the current user"),
    ("SELECT ID AS id, MONTHS_BETWEEN(D, D) AS v FROM s", "MONTHS_BETWEEN"),
    ("SELECT ID AS id, B AS v FROM s WHERE D > TIMESTAMP '2020-01-01 00:00:00'", "a timestamp literal"),
    ("SELECT ID AS id, ROWNUM AS v FROM s", "ROWNUM"),
    ("SELECT ID AS id, B AS v FROM s WHERE ROWNUM <= 10", "ROWNUM"),
    ("SELECT ID AS id, SEQ.NEXTVAL AS v FROM s", "a sequence"),
    ("SELECT ID AS id, B AS v FROM s WHERE B <> ''", "a comparison with ''"),
    ("SELECT ID AS id, CASE WHEN B IN ('', 'x') THEN 'y' END AS v FROM s", "a comparison with ''"),
]
TSQL = [
    ("SELECT TOP 5 PERCENT ID AS id, B AS v FROM s", "TOP n PERCENT"),
    ("SELECT TOP 5 WITH TIES ID AS id, B AS v FROM s ORDER BY B", "WITH TIES"),
    ("SELECT TOP 5 ID AS id, B AS v FROM s", "ORDER BY, LIMIT, TOP or OFFSET"),
    ("SELECT ID AS id, B AS v FROM s FOR XML PATH", "FOR XML or FOR JSON"),
    ("SELECT ID AS id, B AS v FROM s FOR JSON AUTO", "FOR XML or FOR JSON"),
    ("SELECT ID AS id, B AS v FROM s WITH (NOLOCK)", "a hint or an option"),
    ("SELECT ID AS id, B AS v FROM s OPTION (RECOMPILE)", "a hint or an option"),
    ("SELECT ID AS id, TRY_CAST(B AS INT) AS v FROM s", "TRY_CAST"),
    ("SELECT ID AS id, GETDATE() AS v FROM s", "the current time"),
    ("SELECT ID AS id, NEWID() AS v FROM s", "a random value"),
]
CASES = (
    [("oracle", *case) for case in ORACLE]
    + [("tsql", *case) for case in TSQL]
    + [("mysql", "SELECT ID AS id, NOW() AS v FROM s", "the current time")]
)


@pytest.mark.parametrize(("dialect", "select", "name"), CASES, ids=[f"{case[2]}: {case[1][:60]}" for case in CASES])
def test_a_construct_of_the_list_is_refused_by_name(tmp_path: Path, dialect: str, select: str, name: str) -> None:
    problems = refused(tmp_path, select, SOURCE, TARGET, dialect)
    named = [problem for problem in problems if problem.problem.startswith(f"{name} is not translated: ")]
    assert named, [problem.problem for problem in problems]
    assert named[0].remedy
    assert named[0].file == tmp_path / "t.sql"


def test_the_line_of_the_construct_is_named(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, "SELECT ID AS id,\n       B AS v\nFROM s\nWHERE ROWNUM < 3", SOURCE, TARGET)
    assert (problem.place.line, problem.place.at) == (7, 7)


def test_a_column_may_have_the_name_of_a_pseudo_column(tmp_path: Path) -> None:
    source = table("s", "id integer, level text")
    problems = refused(tmp_path, "SELECT ID AS id, LEVEL AS v, ROWNUM AS w FROM s", source, TARGET)
    assert [problem.problem.split(" ")[0] for problem in problems] == ["ROWNUM"]
