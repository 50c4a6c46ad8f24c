"""Why a mapping is not accepted: what stands where, why it is wrong, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from config.errors import USAGE, StranglerError


@dataclass(frozen=True)
class Place:
    """A line and a place in it, both counted from 1; 0 is not known."""

    line: int = 0
    at: int = 0

    def within(self, file: Path) -> str:
        """As compilers write it: file:line:column."""
        return ":".join([str(file), *(str(number) for number in (self.line, self.at) if number)])


NOWHERE = Place()


@dataclass(eq=False)
class MappingRefused(StranglerError):
    """One problem of one mapping file; `column` is the target's column that it is about."""

    file: Path
    place: Place
    problem: str
    remedy: str = ""
    column: str = ""
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The place and the problem."""
        return f"{self.place.within(self.file)}: {f'{self.column}: ' if self.column else ''}{self.problem}"

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


class Refusal(Exception):
    """Raised inside a mapping's translation: the reason and the remedy; the caller knows file and column."""

    def __init__(self, problem: str, remedy: str = "", place: Place = NOWHERE) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.place = place
