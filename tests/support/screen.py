"""What a person would see of a terminal's output, as text."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType


def printed(renderable: RenderableType, width: int = 160) -> str:
    """The text without colours."""
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(renderable)
    return console.export_text()
