"""Every error that a person sees: what is wrong, where, and what to do about it.

One root, few families. An error is a dataclass of facts that composes its own sentence; the command line prints that
sentence and the hint, and exits with the error's `exit_code` (DESIGN section 10). Foreign exceptions are mapped to
one of these at the edge where they appear, with the cause chained.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

FAILED, USAGE = 1, 2


class StranglerError(Exception):
    """The root. Subclasses are `@dataclass(eq=False)` and define `sentence`, and `hint` where somebody can act.

    Where both are fixed words around facts, they are the templates `says` and `advises` over `self`.
    """

    exit_code: ClassVar[int] = FAILED
    says: ClassVar[str] = ""
    advises: ClassVar[str] = ""

    @property
    def sentence(self) -> str:
        """What is wrong and where, as one sentence without values of rows, bodies or headers."""
        return self.says.format(self=self) or type(self).__name__

    @property
    def hint(self) -> str:
        """What the person who reads it should do; empty where there is nothing to add."""
        return self.advises.format(self=self)

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".strip()


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in routes.yaml: the path into the file, what is wrong, an example of what is right."""

    where: str
    what: str
    example: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" - for example: {self.example}" if self.example else "")


@dataclass(eq=False)
class RoutesInvalid(StranglerError):
    """A routes.yaml that cannot be used, with all of its problems at once."""

    path: Path
    problems: tuple[Problem, ...]
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The number of problems and each of them on its own line."""
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        return f"{self.path} has {count} problem{'' if count == 1 else 's'}:\n{lines}"


@dataclass(eq=False)
class RoutesChanged(StranglerError):
    """Somebody changed routes.yaml since it was read, so writing it now would lose their change."""

    path: Path

    @property
    def sentence(self) -> str:
        """Which file changed."""
        return f"{self.path} changed since it was read; nothing was written."

    @property
    def hint(self) -> str:
        """Read it again."""
        return "Look at the change and run the command again."


@dataclass(eq=False)
class UnknownCapability(StranglerError):
    """A command named a capability that routes.yaml does not have."""

    name: str
    known: tuple[str, ...]
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The name that is unknown."""
        return f"There is no capability {self.name!r} in routes.yaml."

    @property
    def hint(self) -> str:
        """The names that exist."""
        return f"Known: {', '.join(self.known)}." if self.known else "The file has no capabilities."


@dataclass(eq=False)
class PortInUse(StranglerError):
    """An address that we should listen on is taken."""

    address: str

    @property
    def sentence(self) -> str:
        """The address."""
        return f"{self.address} is in use by another process."

    @property
    def hint(self) -> str:
        """Another port, or end the other process."""
        return "Stop the other process, or choose another port (port 0 picks a free one)."


@dataclass(eq=False)
class DatabaseDown(StranglerError):
    """A database that is needed does not answer."""

    name: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which database, and what the driver said."""
        return f"The database {self.name!r} does not answer: {self.reason.strip()}."

    @property
    def hint(self) -> str:
        """Where its address comes from."""
        return "Start it, or correct its url under `databases` in routes.yaml (or the variable it names)."


@dataclass(eq=False)
class UpstreamDown(StranglerError):
    """An upstream that is needed does not answer."""

    name: str
    url: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which upstream, where, and why."""
        return f"The upstream {self.name!r} at {self.url} does not answer: {self.reason.strip()}."

    @property
    def hint(self) -> str:
        """Where its address comes from."""
        return "Start it, or correct its url under `upstreams` in routes.yaml."


@dataclass(eq=False)
class NothingVerified(StranglerError):
    """Rows since an earlier verification are asked for, but none from then found both sides equal."""

    capability: str
    since: str

    @property
    def sentence(self) -> str:
        """Whose, and since when."""
        return f"No verification of {self.capability} that began before {self.since} found both sides equal."

    @property
    def hint(self) -> str:
        """A whole one is a beginning."""
        return f"Run `strangler sync verify {self.capability}` whole; later ones can look at what was written since."


@dataclass(eq=False)
class NotConfigured(StranglerError):
    """A command needs a section of routes.yaml that is not there."""

    where: str
    needed_for: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The missing section and what needs it."""
        return f"routes.yaml has no {self.where}, which {self.needed_for} needs."
