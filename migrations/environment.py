"""Where the revisions of each service lie, the Alembic configuration for them, and each of them as SQL."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from config.errors import USAGE, StranglerError

HOME = Path(__file__).parent
BRANCHES = ("expand", "contract")


@dataclass(eq=False)
class UnknownService(StranglerError):
    """A command named a service without revisions."""

    name: str
    known: tuple[str, ...]
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The name that is unknown."""
        return f"There are no revisions for a service {self.name!r} in {HOME / 'versions'}."

    @property
    def hint(self) -> str:
        """The services that have revisions."""
        return f"Known: {', '.join(self.known)}."


@dataclass(eq=False)
class UnknownBranch(StranglerError):
    """A command named a branch that is neither expand nor contract."""

    name: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The name that is unknown."""
        return f"There is no branch {self.name!r} of revisions."

    @property
    def hint(self) -> str:
        """The branches that exist."""
        return f"Known: {', '.join(BRANCHES)}."


def known_services() -> tuple[str, ...]:
    """The services that have revisions."""
    return tuple(sorted(folder.name for folder in (HOME / "versions").iterdir() if any(folder.glob("*.py"))))


def configuration(service: str, output: io.StringIO | None = None) -> Config:
    """Alembic's configuration for a service, or a folder of revisions; rendered SQL goes to `output`.

    Raises UnknownService.
    """
    folder = HOME / "versions" / service if service in known_services() else Path(service)
    if not any(folder.glob("*.py")):
        raise UnknownService(service, known_services())
    config = Config(stdout=io.StringIO(), output_buffer=output)
    config.set_main_option("script_location", str(HOME).replace("%", "%%"))
    config.set_main_option("version_locations", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


def revisions(config: Config, branch: str) -> tuple[Script, ...]:
    """The revisions of a branch, oldest first; none where the branch has not begun. Raises UnknownBranch."""
    if branch not in BRANCHES:
        raise UnknownBranch(branch)
    scripts = ScriptDirectory.from_config(config)
    walk = reversed(list(scripts.walk_revisions()))
    return tuple(script for script in walk if branch in script.branch_labels)


def render(service: str, script: Script) -> str:
    """The SQL of one revision, as it would be sent; raises what the revision raises if it needs a database."""
    output = io.StringIO()
    config: Config = configuration(service, output)
    down = script.down_revision
    command.upgrade(config, f"{down if isinstance(down, str) else 'base'}:{script.revision}", sql=True)
    return output.getvalue()
