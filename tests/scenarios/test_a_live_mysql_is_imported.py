"""A live MariaDB is imported as what mysqldump would write of it, object by object, and nothing is left without a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from cdc.translation.views import translated_view
from config.errors import DatabaseDown
from migrations.importing.importer import Means, import_mysql
from migrations.importing.type_policy import TypePolicy
from migrations.upgrade import upgrade
from runbook.cli import app
from runbook.demo.processes import free_port
from tests.support.mariadb import MariaDb, mariadb
from tests.support.tls import Authority

SCHEMA = (
    "CREATE DATABASE core",
    "USE core",
    "CREATE TABLE customer (id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(60) NOT NULL DEFAULT "
    "'it''s \\\\ me' COMMENT 'as printed; on cards', born date, status enum('A','C') NOT NULL DEFAULT 'A') ENGINE=InnoDB",
    "CREATE TABLE account (no bigint NOT NULL PRIMARY KEY, customer int unsigned NOT NULL, balance decimal(14,2) NOT NULL, "
    "`odd ``name` tinyint(1), changed timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(), "
    "KEY by_customer (customer), CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customer (id))",
    "CREATE SEQUENCE counter START WITH 7",
    "CREATE VIEW names AS SELECT id, name FROM customer",
    "CREATE TRIGGER stamped BEFORE UPDATE ON account FOR EACH ROW BEGIN SET NEW.balance = NEW.balance; END",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM account WHERE balance = 0",
    "CREATE FUNCTION half(n int) RETURNS int DETERMINISTIC RETURN n / 2",
    "CREATE PROCEDURE eod() BEGIN SELECT 'a;; b'; SELECT 1; END",
    "SET GLOBAL sql_mode = 'ANSI_QUOTES'",
    "CREATE USER reader@127.0.0.1 IDENTIFIED BY 'p@ss/word'",
    "GRANT SELECT ON core.* TO reader@127.0.0.1",
    "CREATE USER owner@127.0.0.1 IDENTIFIED BY 'p@ss/word'",
    "GRANT ALL ON core.* TO owner@127.0.0.1",
)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDb]:
    with mariadb(free_port()) as server:
        server.run(*SCHEMA)
        yield server


def test_every_object_is_translated_or_left_out(
    server: MariaDb, tmp_path: Path, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSQL_PWD", "p@ss/word")
    report = import_mysql(
        f"mysql://owner@127.0.0.1:{server.port}/core",
        TypePolicy("mysql"),
        Means(tmp_path, modern_db, translate_view=translated_view),
    )
    found = {(one.type, one.name): one.confidence for one in report.objects}
    assert {kind for kind, confidence in found.items() if confidence == "executed"} >= {
        ("table", "customer"),
        ("table", "account"),
        ("sequence", "counter"),
        ("foreign key", "account.of_customer"),
        ("index", "by_customer"),
        ("view", "names"),
    }
    left_out = {kind for kind, confidence in found.items() if confidence == "left_out"}
    logic = {("trigger", "stamped"), ("event", "nightly"), ("function", "half"), ("procedure", "eod")}
    assert left_out >= logic
    assert report.read == report.translated + report.left_out == len(SCHEMA) - 7
    with psycopg.connect(modern_db, autocommit=True) as conn:
        conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    upgrade(modern_db, str(report.revisions[0].parent))
    with psycopg.connect(modern_db, autocommit=True) as conn:
        conn.execute("INSERT INTO customer (born) VALUES ('2001-02-03')")
        assert conn.execute("SELECT id, name, status FROM customer").fetchall() == [(1, "it's \\ me", "A")]
        assert conn.execute("SELECT col_description('customer'::regclass, 2)").fetchone() == ("as printed; on cards",)


def test_what_a_user_may_not_see_is_left_out_by_name_or_not_listed(
    server: MariaDb, tmp_path: Path, modern_db: str
) -> None:
    url = f"mysql://reader:p%40ss%2Fword@127.0.0.1:{server.port}/core"
    report = import_mysql(url, TypePolicy("mysql"), Means(tmp_path))
    (view,) = [one for one in report.objects if one.type == "view"]
    assert "SHOW CREATE failed" in view.findings[0].text
    assert "trigger" not in {one.type for one in report.objects}  # the server does not list what it does not show
    assert report.read == report.translated + report.left_out


def test_a_certificate_is_checked_where_its_authority_is_named(server: MariaDb, tmp_path: Path) -> None:
    url = f"mysql://reader:p%40ss%2Fword@127.0.0.1:{server.port}/core?ssl_ca="
    assert import_mysql(f"{url}{server.ca}", TypePolicy("mysql"), Means(tmp_path)).read > 3
    other = Authority(tmp_path, "other")
    with pytest.raises(DatabaseDown, match="certificate verify failed"):
        import_mysql(f"{url}{other.path}", TypePolicy("mysql"), Means(tmp_path))


def test_the_command_reads_the_address_and_tells_no_password(server: MariaDb, tmp_path: Path) -> None:
    url = f"mysql://reader:wrong-secret@127.0.0.1:{server.port}/core"
    arguments = ["migrate", "import", "--dialect", "mysql", url, "--out", str(tmp_path), "--no-execute", "--json"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "Access denied" in str(refused.exception or refused.output)
    assert "wrong-secret" not in f"{refused.output}{refused.exception}"
    done = CliRunner().invoke(app, [one.replace("wrong-secret", "p%40ss%2Fword") for one in arguments])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["statements"]["read"] > 3
