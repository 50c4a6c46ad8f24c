from __future__ import annotations

import io

import pytest

from migrations.environment import BRANCHES, UnknownBranch, UnknownService, configuration, known_services, revisions


def test_the_ledger_is_known() -> None:
    assert "ledger" in known_services()


def test_revisions_come_oldest_first_and_belong_to_one_branch() -> None:
    expand = revisions(configuration("ledger"), "expand")
    assert [script.revision for script in expand][:2] == ["ledger_0001", "ledger_0002"]
    assert expand[0].down_revision is None
    assert not {script.revision for script in revisions(configuration("ledger"), "contract")} & {
        script.revision for script in expand
    }


def test_every_revision_has_a_title_and_belongs_to_a_branch() -> None:
    for service in known_services():
        for branch in BRANCHES:
            assert all(script.doc.endswith(".") for script in revisions(configuration(service), branch))


def test_unknown_names_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownService, match=r"Known: .*ledger"):
        configuration("nothing")
    with pytest.raises(UnknownBranch, match="expand, contract"):
        revisions(configuration("ledger"), "sideways")


def test_alembic_says_nothing_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    configuration("ledger", io.StringIO()).print_stdout("hello")
    assert capsys.readouterr() == ("", "")
