"""Where the control database is, and that what was written there stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from config.control_database import control_engine, control_url
from config.reader import parse_routes


def _url(tmp_path: Path, url: str | None) -> str:
    named = f'databases: {{control: {{url: "{url}"}}}}' if url else ""
    routes = parse_routes(f"version: 1\n{named}".encode(), tmp_path / "routes.yaml", {})
    return control_url(routes, tmp_path / "run")


def test_it_lies_in_the_runtime_directory_unless_routes_yaml_says_otherwise(tmp_path: Path) -> None:
    assert _url(tmp_path, None) == f"sqlite:///{tmp_path}/run/control.db"
    assert _url(tmp_path, "postgresql://bank@127.0.0.1/control") == "postgresql://bank@127.0.0.1/control"


def test_a_relative_path_is_relative_to_routes_yaml_and_its_folder_is_made(tmp_path: Path) -> None:
    assert _url(tmp_path, "sqlite:///beside/control.db") == f"sqlite:///{tmp_path}/beside/control.db"
    assert (tmp_path / "beside").is_dir()


def test_a_password_in_the_url_is_kept_as_it_is(tmp_path: Path) -> None:
    url = "postgresql://bank:p%40ss@127.0.0.1/control"
    assert control_engine(_url(tmp_path, url), 1.0).url.password == "p@ss"


def test_a_second_writer_waits_and_then_gives_up(tmp_path: Path) -> None:
    one, other = (control_engine(f"sqlite:///{tmp_path}/control.db", 0.05) for _ in range(2))
    with one.begin() as writing:
        writing.exec_driver_sql("CREATE TABLE kept (n integer)")
        with pytest.raises(sa.exc.OperationalError), other.begin():
            pass
    with other.begin() as writing:
        writing.exec_driver_sql("INSERT INTO kept VALUES (1)")
    for engine in (one, other):
        engine.dispose()
