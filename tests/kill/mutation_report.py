"""The mutation table: what was found of each seeded bug, the score, and both as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

SOUND = "(no bug)"


class Found(msgspec.Struct, frozen=True):
    """What was found of one bug, in which run, after how many of them."""

    bug: str
    text: str
    invariant: str
    sentence: str
    label: str
    runs: int
    seconds: float
    seed: int

    @property
    def is_caught(self) -> bool:
        """Whether an invariant named it. A world that did not work was not judged: it may have failed for any reason."""
        return self.invariant.startswith("I")

    def append_to(self, path: Path) -> None:
        """Add a line to the findings that are kept."""
        with path.open("ab") as file:
            file.write(msgspec.json.encode(self) + b"\n")


def read(path: Path, seed: int) -> list[Found]:
    """The findings with that seed that were kept before."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [one for one in map(msgspec.json.Decoder(Found).decode, lines) if one.seed == seed]


def seeded(found: Sequence[Found]) -> list[Found]:
    """Without the world that has no bug."""
    return [one for one in found if one.bug != SOUND]


def score(found: Sequence[Found]) -> str:
    """How many were caught of how many."""
    return f"{sum(one.is_caught for one in seeded(found))} of {len(seeded(found))}"


def is_good(found: Sequence[Found]) -> bool:
    """Whether nothing at all was found without a bug, and at most one bug in twenty-five went uncaught."""
    bugs = seeded(found)
    missed = sum(not one.is_caught for one in bugs)
    return missed * 25 <= len(bugs) and not any(one.invariant for one in found if one.bug == SOUND)


def table(found: Sequence[Found]) -> str:
    """The table as a terminal shows it."""
    lines = [f"{'seeded bug':<38}{'found by':<10}{'runs':>5}{'seconds':>9}  what was seen"]
    for one in found:
        nobody = "-" if one.bug == SOUND else "NOBODY"
        lines.append(
            f"{one.bug:<38}{one.invariant or nobody:<10}{one.runs:>5}{one.seconds:>9.1f}  {one.sentence[:110]}"
        )
    seconds = sum(one.seconds for one in found)
    return "\n".join([*lines, f"mutation score: {score(found)}; {len(found)} worlds in {seconds:.0f} s", ""])


def document(found: Sequence[Found], *, is_gathered: bool = False) -> str:
    """The table as a page of the documentation; `is_gathered` where several calls made it."""
    seeds = ", ".join(sorted({str(one.seed) for one in found}))
    command = (
        f"make mutation SEED={seeds}"
        if not is_gathered
        else f"python -m tests.kill.mutation --seed {seeds} --keep FILE"
    )
    gathered = "\nThe rows were gathered over several calls (`--keep`).\n" if is_gathered else ""
    rows = "\n".join(f"| {' | '.join(_cells(one))} |" for one in found)
    return f"""\
# What the kill harness's checker finds

Each seeded bug is a mistake that somebody could make, as a patch of one or two modules of the product
(`tests/kill/bugs/seeded.py`); the product has no switch for it. A world is seeded, synchronised and verified without a
bug; each bug gets a copy of it and meets the same runs in the same order, until an invariant is violated. The checker
(`tests/kill/checker.py`) is given histories of clients, both databases, the journal and routes.yaml, and knows nothing of
the implementation. A world that breaks before the checker has seen a violation counts as missed.

Printed by `{command}`: **{score(found)} found**, {len(found)} worlds in \
{sum(one.seconds for one in found):.0f} s. The first line is a copy without a bug, which meets all runs.
{gathered}
| seeded bug | what is wrong | found by | in run | seconds | what was seen |
|---|---|---|---|---|---|
{rows}
"""


def _cells(one: Found) -> tuple[str, ...]:
    nobody = "nothing" if one.bug == SOUND else "**nobody**"
    run = f"{one.runs}: {one.label}" if one.invariant else f"all {one.runs}"
    sentence = one.sentence.replace("|", "/").replace("\n", " ")[:160]
    return one.bug, one.text, one.invariant or nobody, run, f"{one.seconds:.0f}", sentence
