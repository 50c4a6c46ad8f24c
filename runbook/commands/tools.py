"""copybook: fixed-width records by their layout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

copybook = typer.Typer(no_args_is_help=True, help="Fixed-width records by copybook: decode, encode.")
CopybookArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The copybook.")]
DataArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The records.")]
CodepageOption = Annotated[str, typer.Option(help="The records' code page; part of the interface, never guessed.")]


@copybook.command("decode")
def copybook_decode(layout: CopybookArgument, data: DataArgument, codepage: CodepageOption = "cp037") -> None:
    """Print each record as a line of JSON; invalid bytes are named by field and offset.

    Example: strangler copybook decode inqa-reply.cpy answers.bin --codepage cp037
    """
    from legacy_adapter.codec import lines

    for line in lines(layout, data, codepage):
        typer.echo(line)


@copybook.command("encode")
def copybook_encode(layout: CopybookArgument, data: DataArgument, codepage: CodepageOption = "cp037") -> None:
    """Turn lines of JSON back into records, on stdout.

    Example: strangler copybook encode inqa-req.cpy requests.jsonl > requests.bin
    """
    from legacy_adapter.codec import encode_lines

    for record in encode_lines(layout, data, codepage):
        sys.stdout.buffer.write(record)
