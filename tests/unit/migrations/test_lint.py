from __future__ import annotations

from pathlib import Path

import pytest

from migrations import lint as lints
from migrations.environment import configuration, known_services, revisions
from migrations.lint import LinterFailed, LinterMissing, lint, render


@pytest.mark.parametrize("service", known_services())
def test_the_revisions_pass(service: str) -> None:
    assert lint(service) == ()


def test_what_would_lock_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    dangerous = "BEGIN;\nALTER TABLE public.account ADD COLUMN x int NOT NULL;\nDROP TABLE public.posting;\nCOMMIT;"
    monkeypatch.setattr(lints, "render", lambda *_: dangerous)
    findings = lint()
    assert {"adding-required-field", "ban-drop-table"} <= {finding.rule for finding in findings}
    first = findings[0]
    assert (first.revision, first.line, first.path.name) == ("ledger_0001", 2, "0001_accounts_and_postings.py")
    assert "adding-required-field (line 2" in str(first)


def test_contract_revisions_may_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    (script, *_) = revisions(configuration("ledger"), "expand")
    removal = "BEGIN;\nDROP TABLE public.posting;\nCOMMIT;"
    assert [finding.rule for finding in lints._look_at(script, removal, "expand", "18")] == ["ban-drop-table"]
    assert lints._look_at(script, removal, "contract", "18") == []


def test_each_revision_is_rendered_alone() -> None:
    second = revisions(configuration("ledger"), "expand")[1]
    rendered = render("ledger", second)
    assert "posting_balances" in rendered
    assert "CREATE TABLE public.posting" not in rendered


def test_a_missing_linter_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lints.shutil, "which", lambda *_, **__: None)
    with pytest.raises(LinterMissing, match="pip install squawk-cli"):
        lint()


def test_a_linter_that_breaks_is_an_error_and_not_a_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "squawk"
    broken.write_text("#!/bin/sh\ncat >/dev/null; echo unknown option >&2; exit 2\n")
    broken.chmod(0o755)
    monkeypatch.setattr(lints, "_squawk", lambda: str(broken))
    with pytest.raises(LinterFailed, match="ledger_0001: unknown option"):
        lint()
