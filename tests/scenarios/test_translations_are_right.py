"""Every expression of three dialects gives on PostgreSQL what its own database gives, or is refused: never another value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import sqlglot

from cdc.mapping import Mapping
from cdc.translation.build import build
from cdc.translation.functions import install_functions
from runbook.demo.cluster import Cluster
from tests.support.mapping_files import catalogue, table, written
from tests.support.pages import code, page
from tests.support.pages import table as page_table
from tests.support.translations import COLUMNS, FAILS, REFUSED, ROW, TRANSLATIONS, Translation

SOURCE = table("s", COLUMNS)


@dataclass(frozen=True)
class Outcome:
    """What became of one expression: the SQL, and the value it gave; `problem` where there is none."""

    sql: str
    value: object = None
    problem: str = ""

    def is_right(self, means: object) -> bool:
        if means is FAILS:
            return bool(self.problem)
        return not self.problem and self.value == means and _kind(self.value) == _kind(means)


def _kind(value: object) -> type:
    """Whole numbers and decimals are both exact; a double is not, whatever it prints."""
    return Decimal if type(value) is int else type(value)


@pytest.fixture(scope="module")
def conn(modern_server: Cluster) -> Iterator[psycopg.Connection]:
    url = modern_server.create_database("translations")
    with psycopg.connect(url, autocommit=True) as found:
        install_functions(found)
        found.execute(f"CREATE TABLE s ({COLUMNS.replace('?', '')})".encode())
        yield found
    modern_server.drop_database("translations")


def _run(conn: psycopg.Connection, case: Translation, statement: str, sql: str) -> Outcome:
    row = ROW | case.row
    with conn.transaction(force_rollback=True):
        names, marks = ", ".join(row), ", ".join("%s" for _ in row)
        conn.execute(f"INSERT INTO s ({names}) VALUES ({marks})", list(row.values()))
        try:
            found = conn.execute(statement.encode()).fetchone()
        except psycopg.Error as error:
            return Outcome(sql, problem=(error.diag.message_primary or "").split("\n")[0])
    assert found is not None
    return Outcome(sql, found[0])


def _ours(conn: psycopg.Connection, case: Translation, folder: Path) -> Outcome:
    target = table("t", f"id integer, v {case.kind}?")
    mapping = build(
        written(folder, f"SELECT id AS id, {case.expression} AS v FROM s", case.dialect),
        catalogue(SOURCE),
        catalogue(target),
    )
    if not isinstance(mapping, Mapping):
        return Outcome(REFUSED, problem=mapping[0].problem)
    sql = mapping.columns[1].expression
    return _run(conn, case, f"SELECT CAST(v AS {case.kind}) FROM ({mapping.select('s')}) AS ours", sql)


def _plain(conn: psycopg.Connection, case: Translation) -> Outcome:
    """sqlglot alone, as its documentation shows it."""
    statement = sqlglot.transpile(f"SELECT {case.expression} AS v FROM s", read=case.dialect, write="postgres")[0]
    return _run(conn, case, statement, statement.removeprefix("SELECT ").removesuffix(" AS v FROM s"))


def _cells(case: Translation, ours: Outcome, plain: Outcome) -> tuple[str, ...]:
    row = ", ".join(f"{name} = {_shown(value)}" for name, value in case.row.items())
    if case.means is REFUSED:
        verdict = "fails" if plain.problem else f"**silent**: {code(_shown(plain.value))}"
        return case.dialect, code(case.expression), row, "-", f"refused: {ours.problem}", verdict
    right = plain.is_right(case.means)
    verdict = "right" if right else "fails" if plain.problem else f"**wrong**: {code(_shown(plain.value))}"
    sql = f"refused: {ours.problem}" if ours.sql == REFUSED else code(ours.sql)
    return case.dialect, code(case.expression), row, code(_shown(case.means)), sql, verdict


def _shown(value: object) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return "the time of the run, with time zone"
    if isinstance(value, float):
        return f"{value!r} as a double"
    return "NULL" if value is None else repr(value) if isinstance(value, str) and value is not FAILS else str(value)


def _is_silent(case: Translation, outcome: Outcome) -> bool:
    """Another value than the right one, without an error."""
    return not outcome.problem and not (case.means is not REFUSED and outcome.is_right(case.means))


def test_no_expression_gives_another_value_than_its_own_database(conn: psycopg.Connection, tmp_path: Path) -> None:
    found = [(case, _ours(conn, case, tmp_path), _plain(conn, case)) for case in TRANSLATIONS]
    assert [(case.expression, ours) for case, ours, _ in found if _is_silent(case, ours)] == []
    wrong = [
        (case.expression, ours)
        for case, ours, _ in found
        if (ours.sql == REFUSED and case.means is not REFUSED)
        or not (case.means is REFUSED or ours.is_right(case.means))
    ]
    assert wrong == []
    assert [case.expression for case, ours, _ in found if case.means is REFUSED and ours.sql != REFUSED] == []
    silent = sum(_is_silent(case, plain) for case, _, plain in found)
    failing = sum(bool(plain.problem) and not plain.is_right(case.means) for case, _, plain in found)
    refused = sum(case.means is REFUSED for case, _, _ in found)
    assert silent > 20, "the comparison no longer sees what plain sqlglot gets wrong"
    counts = page_table(
        ("", "right", "refused or failing loudly", "another value, silently"),
        [
            ("this program", str(len(found) - refused), str(refused), "0"),
            ("plain sqlglot", str(len(found) - silent - failing), str(failing), str(silent)),
        ],
    )
    head = ("dialect", "expression", "row", "means there", "PostgreSQL", "plain sqlglot")
    page(
        "translations.md",
        f"""# What mapping expressions become

Made by `tests/scenarios/test_translations_are_right.py`: each of the {len(found)} expressions is translated and run on
PostgreSQL 18 over one row, and the value is compared, with its type, with what the dialect's own database gives by its
documentation. Plain sqlglot {sqlglot.__version__} translates the same expression beside it. A column that is not said
has the value of the row at the end.

{counts}
{page_table(head, [_cells(*one) for one in found])}
The row: {", ".join(f"{name} = {_shown(value)}" for name, value in ROW.items() if name != "id")}.

Comparisons of text follow the source database's collation: a mapping in T-SQL or MySQL does not become
case-insensitive by its dialect.
""",
    )
