"""Why a mapping is not accepted: what stands where, why it is wrong, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from config.errors import USAGE, StranglerError


@dataclass(eq=False)
class MappingRefused(StranglerError):
    """One problem of one mapping file; `line` counts from 1, 0 where the problem is the file's as a whole."""

    file: Path
    line: int
    problem: str
    remedy: str = ""
    column: str = ""
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The place and the problem."""
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {f'{self.column}: ' if self.column else ''}{self.problem}"

    @property
    def hint(self) -> str:
        """What to write instead."""
        return self.remedy


@dataclass(eq=False)
class MappingsRefused(StranglerError):
    """Every problem of every mapping file of a capability."""

    problems: tuple[MappingRefused, ...]
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The number of problems and each of them on its own line."""
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        return f"{count} problem{'' if count == 1 else 's'} in the mappings:\n{lines}"


@dataclass(eq=False)
class NotInvertible(StranglerError):
    """A mapping has no way back, so there can be no reverse stream for its table."""

    file: Path
    column: str
    reason: str

    @property
    def sentence(self) -> str:
        """The column and the reason."""
        return f"{self.file}: there is no way back for {self.column}: {self.reason}."

    @property
    def hint(self) -> str:
        """How a mapping gets a way back."""
        return (
            "Map the column by something that can be undone, add a column that keeps what is lost, or write the way "
            "back yourself below a line `-- reverse:` as a SELECT over the target table."
        )


class Refusal(Exception):
    """Raised inside a mapping's translation: the reason and the remedy; the caller knows file and column."""

    def __init__(self, problem: str, remedy: str = "", line: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.line = line
