from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import RoutesChanged, RoutesInvalid, UnknownCapability
from config.reader import read_routes
from config.writer import prepare_stage, set_percent, set_stage, write
from tests.support.routes_text import ROUTES_TEXT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES_TEXT)
    return path


def test_only_the_stage_changes(file: Path) -> None:
    digest = set_stage(file, "accounts", "canary", read_routes(file).digest)
    assert file.read_text() == ROUTES_TEXT.replace("stage: shadow ", "stage: canary ")
    assert digest == read_routes(file).digest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(percent=st.floats(0, 100).map(lambda value: round(value, 2)))
def test_any_percentage_is_written_in_place(file: Path, percent: float) -> None:
    file.write_text(ROUTES_TEXT)
    set_percent(file, "accounts", percent, read_routes(file).digest)
    assert read_routes(file).capabilities["accounts"].canary_percent == percent
    assert [line for line in file.read_text().splitlines() if "percent" not in line] == [
        line for line in ROUTES_TEXT.splitlines() if "percent" not in line
    ]


def test_a_stage_that_was_left_at_its_default_is_added(file: Path) -> None:
    set_stage(file, "cards", "shadow", read_routes(file).digest)
    assert read_routes(file).capabilities["cards"].stage == "shadow"


def test_a_file_that_somebody_else_changed_is_not_written(file: Path) -> None:
    digest = read_routes(file).digest
    file.write_text(ROUTES_TEXT + "# a late thought\n")
    with pytest.raises(RoutesChanged):
        set_stage(file, "accounts", "canary", digest)
    assert "a late thought" in file.read_text()


def test_a_change_that_would_not_validate_is_not_written(file: Path) -> None:
    with pytest.raises(RoutesInvalid):
        set_stage(file, "cards", "canary", read_routes(file).digest)
    assert file.read_text() == ROUTES_TEXT


def test_a_capability_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(UnknownCapability, match="'loans'"):
        set_stage(file, "loans", "canary", read_routes(file).digest)


def test_a_write_leaves_no_other_file_and_keeps_the_mode(file: Path) -> None:
    file.chmod(0o640)
    set_stage(file, "accounts", "canary", read_routes(file).digest)
    assert [path.name for path in file.parent.iterdir()] == ["routes.yaml"]
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_prepared_change_writes_stage_and_percentage_at_once(file: Path) -> None:
    change = prepare_stage(file, "accounts", "canary", 25, read_routes(file).digest)
    assert file.read_text() == ROUTES_TEXT
    assert write(change) == read_routes(file).digest == change.digest
    one = read_routes(file).capabilities["accounts"]
    assert (one.stage, one.canary_percent) == ("canary", 25)


def test_a_prepared_change_of_a_file_that_somebody_changed_is_not_written(file: Path) -> None:
    change = prepare_stage(file, "accounts", "canary", None, read_routes(file).digest)
    file.write_text(ROUTES_TEXT + "# a late thought\n")
    with pytest.raises(RoutesChanged):
        write(change)
    with pytest.raises(RoutesChanged):
        prepare_stage(file, "accounts", "canary", None, change.replaces)
    assert "a late thought" in file.read_text()
