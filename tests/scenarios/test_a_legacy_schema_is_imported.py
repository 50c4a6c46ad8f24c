"""Scripts in the style of three databases become revisions that run, and the report accounts for every statement."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from cdc.translation.views import translated_view
from migrations.importing.importer import Means, import_live, import_script
from migrations.importing.model import Object
from migrations.importing.report import ImportReport
from migrations.importing.type_policy import TypePolicy
from migrations.upgrade import upgrade
from runbook.cli import app
from runbook.demo.cluster import Cluster
from tests.support.legacy_scripts import SCRIPTS
from tests.support.pages import page, table

TABLES = 100


@pytest.fixture(scope="module")
def imported(modern_server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ImportReport]:
    folder = tmp_path_factory.mktemp("imports")
    reports = {}
    for dialect, script in SCRIPTS.items():
        file = folder / f"core_{dialect}.sql"
        file.write_text(script(TABLES), encoding="utf-8", newline="")
        url = modern_server.create_database(f"import_{dialect}")
        reports[dialect] = import_script(
            file, TypePolicy(dialect), Means(folder / dialect, url, translate_view=translated_view)
        )
        modern_server.drop_database(f"import_{dialect}")
    return reports


def of_type(report: ImportReport, kind: str) -> list[Object]:
    return [found for found in report.objects if found.type == kind]


@pytest.mark.parametrize("dialect", SCRIPTS)
def test_every_statement_is_translated_or_left_out_with_a_line(imported: dict[str, ImportReport], dialect: str) -> None:
    report = imported[dialect]
    found = report.as_json()["statements"]
    assert isinstance(found, dict)
    assert found["read"] == found["translated"] + found["left_out"]
    assert found["read"] > 3 * TABLES
    assert len([one for one in of_type(report, "table") if one.confidence == "executed"]) == TABLES
    for one in report.objects:
        assert one.confidence in ("executed", "refused", "left_out")
        assert one.sql if one.confidence == "executed" else one.findings, one


def test_what_is_left_out_is_named_and_counted(imported: dict[str, ImportReport]) -> None:
    def names(dialect: str) -> set[tuple[str, str]]:
        return {(one.type, one.name.lower()) for one in imported[dialect].objects if one.confidence == "left_out"}

    logic = {("trigger", "trg_upd"), ("package", "pkg_int"), ("package body", "pkg_int"), ("procedure", "eod")}
    others = {("synonym", "acct"), ("materialized view", "mv_bal"), ("database link", "remote"), ("view", "v_sums")}
    assert logic | others | {("partition", "t0002_acct.pmax_2"), ("temporary table", "gtt_work")} <= names("oracle")
    assert {("trigger", "trgaccount"), ("procedure", "calcinterest"), ("function", "rate")} <= names("tsql")
    assert {("trigger", "trg_account"), ("procedure", "eod"), ("event", "nightly")} <= names("mysql")
    assert ("partition", "account0007.p7_low") in names("mysql")
    assert ("view", "open_accounts") in names("mysql")  # the dump's placeholder for it
    kinds = Counter(one.type for one in imported["mysql"].objects)
    assert (kinds["fulltext index"], kinds["data"], kinds["partition"]) == (TABLES, TABLES, 2 * (TABLES // 7))
    assert len(of_type(imported["oracle"], "sequence")) == 1
    for dialect in SCRIPTS:
        (refused,) = [one for one in of_type(imported[dialect], "table") if one.confidence == "refused"]
        assert "--types" in refused.findings[-1].text


def test_views_are_translated_and_executed_or_say_why_not(imported: dict[str, ImportReport]) -> None:
    views = {one.name: one for report in imported.values() for one in of_type(report, "view")}
    made = {name: one.sql for name, one in views.items() if one.confidence == "executed"}
    assert set(made) == {"v_open", "v_parent", "openaccounts", "parents", "open_accounts"}
    assert made["v_parent"] == (
        "CREATE VIEW public.v_parent AS SELECT a.id AS id, COALESCE(p.name, '-') AS parent, (a.bal_amt * 0.01) AS balance, "
        "CASE a.sts WHEN 'A' THEN 'active' WHEN 'C' THEN 'closed' ELSE 'other' END AS state "
        "FROM public.t0002_acct AS a LEFT JOIN public.t0001_acct AS p ON p.id = a.parent_id"
    )
    assert made["openaccounts"].endswith("WHERE account0001.isactive = true")
    assert [finding.text for finding in views["v_sums"].findings] == [
        "the view is not translated: GROUP BY, HAVING or DISTINCT is not translated"
    ]


def columns_of(url: str, name: str) -> dict[str, tuple[str, bool, str | None]]:
    query = """SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
               FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
               WHERE a.attrelid = %s::regclass AND a.attnum > 0"""
    with psycopg.connect(url) as conn:
        return {row[0]: tuple(row[1:]) for row in conn.execute(query, (name,))}


def constraints_of(url: str, name: str) -> dict[str, str]:
    query = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass"
    with psycopg.connect(url) as conn:
        return dict(conn.execute(query, (name,)).fetchall())


def test_the_oracle_revision_makes_what_the_script_says(imported: dict[str, ImportReport], modern_db: str) -> None:
    upgrade(modern_db, str(imported["oracle"].revisions[0].parent))
    found = columns_of(modern_db, "t0004_acct")
    assert found["id"] == ("bigint", True, None)
    assert found["acct_no"] == ("character(10)", True, None)
    assert found["name"] == ("character varying(60)", False, "'UNKNOWN'::character varying")
    assert found["bal_amt"] == ("numeric(14,2)", True, "0")
    assert found["open_dt"] == ("timestamp(0) without time zone", True, "LOCALTIMESTAMP(0)")
    assert found["upd_ts"][0] == "timestamp(6) with time zone"
    assert found["seq_no"][2] == "nextval('trn_seq'::regclass)"
    assert found["empty_txt"] == ("character varying(5)", False, None)
    assert columns_of(modern_db, "t0002_acct")["thousands"][0] == "numeric(5,-3)"
    assert columns_of(modern_db, "t0003_acct")["dur"][0] == "interval day to second(6)"
    assert columns_of(modern_db, "t0006_acct")["tax"][2] == "round((bal_amt * 0.19), 2)"
    rules = constraints_of(modern_db, "t0005_acct")
    assert rules["fk_t0005_parent"].endswith("ON DELETE CASCADE NOT VALID")
    assert rules["pk_t0005_acct"] == "PRIMARY KEY (id)"
    assert rules["uk_t0005_no"] == "UNIQUE (acct_no, sts)"
    assert "'A'::bpchar" in rules["ck_t0005_sts"]
    with psycopg.connect(modern_db) as conn:
        comment = "SELECT obj_description('t0001_acct'::regclass, 'pg_class')"
        assert conn.execute(comment).fetchone() == ("Accounts of branch 1; it's the master",)
        index = "SELECT pg_get_indexdef('ix_t0001_name'::regclass)"
        assert "upper((name)::text), open_dt DESC" in str(conn.execute(index).fetchone())


def test_the_t_sql_revision_makes_what_the_script_says(imported: dict[str, ImportReport], modern_db: str) -> None:
    upgrade(modern_db, str(imported["tsql"].revisions[0].parent))
    found = columns_of(modern_db, "account0005")
    assert found["balance"] == ("numeric(19,4)", True, "0")
    assert found["isactive"] == ("boolean", True, "true")
    assert found["opened"] == ("timestamp(6) without time zone", True, "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC'::text)")
    assert found["name"] == ("character varying(60)", True, "'it''s new'::character varying")
    assert found["total"][2] == "(balance * (parentid)::numeric)"
    assert "label" not in found
    rules = constraints_of(modern_db, "account0004")
    assert rules["fk_account0004_parent"].endswith("ON UPDATE CASCADE ON DELETE SET NULL NOT VALID")
    assert "(isactive = true)" in rules["ck_account0004"]
    with psycopg.connect(modern_db) as conn:
        index = str(conn.execute("SELECT pg_get_indexdef('ix_name'::regclass)").fetchone())
    assert "(name, opened DESC) INCLUDE (balance) WHERE (isactive = true)" in index


def test_the_mysql_revision_makes_what_the_script_says(imported: dict[str, ImportReport], modern_db: str) -> None:
    upgrade(modern_db, str(imported["mysql"].revisions[0].parent))
    found = columns_of(modern_db, "account0002")
    assert found["id"][:2] == ("bigint", True)
    assert found["balance"] == ("numeric(14,2)", True, "0.00")
    assert found["is_active"] == ("boolean", True, "true")
    assert found["created"] == ("timestamp(6) without time zone", True, "CURRENT_TIMESTAMP(6)")
    assert found["flag"][2] == "false"
    assert "don''t know" in constraints_of(modern_db, "account0002")["account0002_status_enum"]
    assert constraints_of(modern_db, "account0003")["fk_account0003"].endswith("ON UPDATE CASCADE ON DELETE SET NULL")
    with psycopg.connect(modern_db) as conn:
        row = conn.execute(
            "INSERT INTO account0002 (account_no) VALUES ('1') RETURNING id, status, is_active"
        ).fetchone()
        assert row == (21, "open", True)
        comment = "SELECT col_description('account0002'::regclass, 3)"
        assert conn.execute(comment).fetchone() == ("ten digits; it's fixed",)


def test_a_live_catalogue_is_proven_and_its_bare_numerics_are_profiled(
    legacy_db: str, modern_db: str, tmp_path: Path
) -> None:
    with psycopg.connect(legacy_db) as conn:
        conn.execute("""
            CREATE SEQUENCE trn_seq START 7;
            CREATE TABLE branch (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(20) UNIQUE);
            CREATE TABLE acct (no char(10) PRIMARY KEY, branch integer REFERENCES branch, amt numeric(12,2) DEFAULT 0
                CHECK (amt > -5), any_rate numeric, any_count numeric, seq bigint DEFAULT nextval('trn_seq'));
            CREATE INDEX acct_amt ON acct (amt DESC) WHERE amt > 0;
            COMMENT ON COLUMN acct.amt IS 'money';
            CREATE VIEW v AS SELECT no, amt FROM acct WHERE amt > 0;
            CREATE VIEW w AS SELECT count(*) AS rows, sum(amt) AS total FROM v;
            INSERT INTO acct (no, any_rate, any_count) VALUES ('1', 12.345, 7), ('2', 1, 123456);""")
        conn.commit()
    report = import_live(legacy_db, "public", TypePolicy("postgres"), tmp_path, modern_db, profile=True)
    by_name = {(one.type, one.name): one for one in report.objects}
    assert by_name["table", "branch"].confidence == "proven"
    assert by_name["table", "acct"].confidence == "executed"  # two of its types are others now
    assert by_name["view", "w"].confidence == by_name["view", "v"].confidence == "executed"
    assert report.read == report.translated + report.left_out
    profiled = [finding.text for finding in by_name["table", "acct"].findings if finding.rule == "profile"]
    assert profiled[0] == "any_rate: 2 values, at most 2 digits before the point and 3 after it"
    found = columns_of(modern_db, "acct")
    assert (found["any_rate"][0], found["any_count"][0]) == ("numeric(7,3)", "bigint")
    assert found["seq"][2] == "nextval('trn_seq'::regclass)"


def test_the_command_prints_the_report_as_json(tmp_path: Path) -> None:
    file = tmp_path / "one.sql"
    file.write_text(
        'CREATE TABLE "A"."T" ("ID" NUMBER(5,0) NOT NULL ENABLE, "PLACE" "SDO" );\nGRANT SELECT ON T TO X;\n'
    )
    types = tmp_path / "types.yaml"
    types.write_text("oracle:\n  T.PLACE: text\n")
    arguments = ["migrate", "import", str(file), "--types", str(types), "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["statements"] == {"read": 2, "translated": 1, "left_out": 1}
    assert [one["confidence"] for one in found["objects"]] == ["executed", "left_out"]
    assert set(found["objects"][0]) >= {"name", "type", "confidence", "sql", "findings"}
    assert Path(found["revision"]).read_text().count("CREATE TABLE public.t") == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["oracle://root@127.0.0.1/core"], "a live oracle database cannot be read"),
        (["--profile", "x.sql"], "only a live PostgreSQL has data to scan"),
        (["--dialect", "db2", "x.sql"], "expected oracle, tsql or mysql"),
    ],
)
def test_what_cannot_be_imported_is_said(arguments: list[str], problem: str) -> None:
    done = CliRunner().invoke(app, ["migrate", "import", *arguments], env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 2
    assert problem in " ".join(done.output.replace("│", " ").split())


def test_the_account_of_three_large_schemas_is_on_its_page(imported: dict[str, ImportReport]) -> None:
    rows = []
    for dialect, report in imported.items():
        tables = sum(one.confidence == "executed" for one in of_type(report, "table"))
        account = f"{report.read:,} = {report.translated:,} + {report.left_out:,}"
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(report.confidence.items()))
        rows.append((dialect, f"{tables}", account, counts, f"{report.minutes / 60:,.0f} h"))
    left = Counter(one.type for report in imported.values() for one in report.objects if one.confidence == "left_out")
    head = ("style", "tables", "statements read = translated + left out", "objects", "effort by hand")
    page(
        "imports.md",
        f"""# Import of three legacy schemas

Made by `tests/scenarios/test_a_legacy_schema_is_imported.py`, from scripts in the exact style of
`DBMS_METADATA.GET_DDL`, of SSMS ("script database as") and of mysqldump (`tests/support/legacy_scripts.py`). Every
object that is `executed` ran on PostgreSQL 18, and the revisions run by `strangler migrate upgrade FOLDER`.

{table(head, rows)}
What is left out is named in the report, each object by itself; in these three together:
{", ".join(f"{count:,} x {kind}" for kind, count in sorted(left.items()))}.
""",
    )
