"""Options that several subcommands share, and how they print."""

from __future__ import annotations

import getpass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

RoutesOption = Annotated[
    Path, typer.Option("--routes", envvar="STRANGLER_ROUTES", help="The routes.yaml to work with.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of text.")]
CapabilityArgument = Annotated[str, typer.Argument(help="The capability's name in routes.yaml.")]
ActorOption = Annotated[
    str | None, typer.Option("--as", envvar="STRANGLER_ACTOR", help="Who you are, for the journal.", show_default="you")
]
PercentOption = Annotated[float | None, typer.Option(min=0, max=100, help="The canary's share of keys, in percent.")]
BackOption = Annotated[bool, typer.Option("--back", help="The way back instead of the way on.")]
DEFAULT_ROUTES = Path("routes.yaml")


def who(actor: str | None) -> str:
    """The person behind a command: as they said, or the account they are logged in with."""
    return actor or getpass.getuser()


SECONDS_BY_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str) -> float:
    """The seconds in `30s`, `5m`, `2h` or `1d`. Raises BadParameter."""
    number, unit = text[:-1], text[-1:]
    if unit not in SECONDS_BY_UNIT or not number.isascii() or not number.replace(".", "", 1).isdigit():
        raise typer.BadParameter(f"{text!r} is not a duration as in 30s, 5m, 2h or 1d")
    return float(number) * SECONDS_BY_UNIT[unit]


def show(renderable: RenderableType) -> None:
    """Print text or a table on stdout; without colour where nobody would see it, or where NO_COLOR asks for none."""
    import os
    import sys

    from rich.console import Console

    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "160"))
    Console(width=width, soft_wrap=width is not None).print(renderable)


def show_json(value: Any) -> None:
    """Print one JSON object; decimals as text, dates in ISO form, paths as text."""
    import msgspec

    def plain(other: object) -> object:
        return other.value if isinstance(other, Enum) else str(other)

    typer.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=plain), indent=2).decode())
