"""A join is a lookup only in a declared table, by equality with a whole unique key, and says what is wrong otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc.mapping import LookedUp
from tests.support.lookups import accepted, acct_with, refusal

JOIN = "SELECT a.ID AS id, a.BR AS office, a.CUR AS currency, {} AS v FROM acct a {}"

REFUSED = [
    ("b.NM", "LEFT JOIN other b ON b.BR = a.BR", "a join is not translated"),
    ("b.NM", "LEFT JOIN branch b ON b.BR = a.BR LEFT JOIN other o ON o.BR = a.BR", "a join is not translated"),
    ("b.NM", "RIGHT JOIN branch b ON b.BR = a.BR", "only LEFT JOIN and JOIN are translated"),
    ("b.NM", "FULL JOIN branch b ON b.BR = a.BR", "only LEFT JOIN and JOIN are translated"),
    ("b.NM", "CROSS JOIN branch b", "only LEFT JOIN and JOIN are translated"),
    ("b.NM", "NATURAL JOIN branch b", "only LEFT JOIN and JOIN are translated"),
    ("b.NM", "LEFT JOIN branch b USING (br)", "the join has no ON"),
    ("b.NM", "LEFT JOIN branch b ON b.BR > a.BR", "something else than columns for equality"),
    ("b.NM", "LEFT JOIN branch b ON b.BR = UPPER(a.BR)", "something else than columns for equality"),
    ("b.NM", "LEFT JOIN branch b ON b.BR = a.BR OR b.BR = a.CUR", "something else than columns for equality"),
    ("b.NM", "LEFT JOIN branch b ON b.NM = a.CUR", "is not the primary key or a unique key"),
    ("b.NM", "LEFT JOIN branch b ON b.BR = a.BR AND b.NM = a.CUR", "is not the primary key or a unique key"),
    ("b.NM", "LEFT JOIN branch b ON b.BR = b.NM", "does not compare a column of b with one of acct"),
    ("b.NM", "LEFT JOIN branch b ON b.BR = a.MISSING", "there is no column MISSING in acct"),
    ("b.NM", "LEFT JOIN branch b ON b.MISSING = a.BR", "MISSING is not carried with it"),
    ("b.NM", "LEFT JOIN branch b ON b.BR = a.ID", "id is integer and br is character(3)"),
    ("b.NM", "LEFT JOIN branch a ON a.BR = a.BR", "a stands for two tables"),
    ("b.NM", "JOIN branch b ON b.BR = a.BR", "a row without its code would be left out"),
]


@pytest.mark.parametrize(("output", "join", "reason"), REFUSED, ids=[join for _, join, _ in REFUSED])
def test_what_is_no_lookup_is_refused(tmp_path: Path, output: str, join: str, reason: str) -> None:
    assert reason in refusal(tmp_path, JOIN.format(output, join))


def test_each_side_reads_its_own_table(tmp_path: Path) -> None:
    mapping = accepted(tmp_path, JOIN.format("b.NM", "LEFT JOIN branch b ON a.BR = b.BR"))
    assert "FROM public.branch)" in mapping.select()
    assert "FROM public.office)" in mapping.at_target.select("staged")
    assert mapping.lookups == (LookedUp("branch", ("br",), ("br",), is_enforced=False),)
    assert mapping.tables_read == ("acct", "branch")


def test_whole_tables_are_joined_and_one_value_is_looked_up(tmp_path: Path) -> None:
    mapping = accepted(tmp_path, JOIN.format("UPPER(b.NM)", "LEFT JOIN branch b ON a.BR = b.BR"))
    (column,) = [one for one in mapping.columns if one.name == "v"]
    assert "(SELECT r." in column.expression
    assert mapping.select().endswith(
        'CAST(upper("strangler b value 0") AS varchar) AS v FROM public.acct LEFT JOIN (SELECT br AS "strangler b key 0", '
        'nm AS "strangler b value 0" FROM public.branch) AS "strangler b" ON "strangler b"."strangler b key 0" = br'
    )


def test_a_foreign_key_that_may_be_broken_for_a_moment_promises_nothing(tmp_path: Path) -> None:
    statement = JOIN.format("c.NM", "JOIN currency c ON c.CUR = a.CUR")
    assert accepted(tmp_path, statement).lookups[0].is_enforced
    assert "would be left out" in refusal(tmp_path, statement, acct_with(is_enforced=False))
