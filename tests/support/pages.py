"""Pages in docs/ that a test makes: the test fails when the page no longer says what was measured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
REWRITE = "STRANGLER_WRITE_DOCS"


def page(name: str, text: str) -> None:
    """The page must be exactly this text; with STRANGLER_WRITE_DOCS=1 in the environment it is written."""
    path = DOCS / name
    if os.environ.get(REWRITE):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"run the test with {REWRITE}=1 to write docs/{name}"
    assert path.read_text(encoding="utf-8") == text, f"run the test with {REWRITE}=1 to bring docs/{name} up to date"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    return f"`{text}`" if text else ""
