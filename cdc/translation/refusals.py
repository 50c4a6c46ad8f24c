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


class Refusal(Exception):
    """Raised inside a mapping's translation: the reason and the remedy; the caller knows file and column."""

    def __init__(self, problem: str, remedy: str = "", line: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.line = line
