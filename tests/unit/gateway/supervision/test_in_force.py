from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import RoutesInvalid
from config.reader import digest_of
from gateway.supervision.in_force import TableInForce
from tests.support.routes_text import ROUTES_TEXT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES_TEXT)
    return path


def test_a_gateway_does_not_begin_with_an_invalid_table(path: Path) -> None:
    path.write_text("version: 2")
    with pytest.raises(RoutesInvalid):
        TableInForce(path, {})


def test_a_change_is_accepted_and_seen_once(path: Path) -> None:
    table = TableInForce(path, {})
    assert table.refresh() == "unchanged"
    path.write_text(ROUTES_TEXT.replace("stage: shadow", "stage: canary"))
    assert table.refresh() == "accepted"
    assert table.refresh() == "unchanged"
    assert table.routes.capabilities["accounts"].stage == "canary"
    assert table.digest == digest_of(path.read_bytes())
    assert table.raw == path.read_bytes()


@pytest.mark.parametrize("content", ["version: 2", "a: [", "", "x" * (17 << 20), None])
def test_a_broken_file_is_refused_and_the_table_stays(path: Path, content: str | None) -> None:
    table = TableInForce(path, {})
    before = table.raw, table.digest, table.routes
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    assert table.refresh() == "refused"
    assert table.refused
    assert (table.raw, table.digest, table.routes) == before
    assert table.refresh() == "unchanged"
    path.write_text(ROUTES_TEXT)
    assert table.refresh() == "accepted"
    assert table.refused == ()


def test_what_was_foreseen_is_in_force_when_the_file_has_it_and_not_before(path: Path) -> None:
    table = TableInForce(path, {})
    before, next_ = table.digest, ROUTES_TEXT.replace("stage: shadow", "stage: canary")
    foreseen = table.foresee(next_.encode())
    assert table.refresh() == "unchanged"
    assert table.digest == before
    path.write_text(next_)
    assert table.refresh() == "accepted"
    assert table.routes is foreseen
    with pytest.raises(RoutesInvalid):
        table.foresee(b"version: 2")
