from __future__ import annotations

from pathlib import Path

import pytest

from migrations import squawk as squawks
from migrations.squawk import LinterFailed, LinterMissing, squawk


def test_a_missing_linter_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squawks.shutil, "which", lambda *_, **__: None)
    with pytest.raises(LinterMissing, match="pip install squawk-cli"):
        squawk("SELECT 1;", "r1", (), (), "18")


def test_a_linter_that_breaks_is_an_error_and_not_a_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "squawk"
    broken.write_text("#!/bin/sh\ncat >/dev/null; echo unknown option >&2; exit 2\n")
    broken.chmod(0o755)
    monkeypatch.setattr(squawks, "program", lambda: str(broken))
    with pytest.raises(LinterFailed, match="r1: unknown option"):
        squawk("SELECT 1;", "r1", (), (), "18")
