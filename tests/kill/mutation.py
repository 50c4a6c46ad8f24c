"""How many seeded bugs the checker finds: `python -m tests.kill.mutation [SEED] [BUG...]`.

Each bug gets a world of its own and the same runs in the same order, until a violation is found; the table says by
which invariant and after how many. Every run is also one of a world without a bug, in which nothing may be found.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from runbook.demo.workspace import Workspace
from tests.kill import special
from tests.kill.campaign import say
from tests.kill.crash import Orders
from tests.kill.run import Runner, Spec
from tests.kill.world import World

sys.path.append(str(Path(__file__).with_name("bugs")))
SOUND = "(no bug)"
HARNESS = "harness"


@dataclass(frozen=True)
class Found:
    """What was found of one bug."""

    bug: str
    text: str
    invariant: str
    sentence: str
    runs: int
    seconds: float

    @property
    def is_caught(self) -> bool:
        """Whether an invariant named it. A world that did not work was not judged: it may have failed for any reason."""
        return bool(self.invariant) and self.invariant != HARNESS


def battery(seed: int) -> Iterator[Spec]:
    """The runs that every bug gets."""
    plain = [
        Spec("nothing happens"),
        Spec("nothing happens"),
        Spec("the run is undone", Orders(fail="sequences")),
        Spec("the streams are killed in the hold", Orders(at="hold.after"), fault="kill sync"),
        Spec("it dies after the commit", Orders(crash="commit.after#1")),
        Spec("it dies behind the fence", Orders(crash="fence.after#1")),
        Spec("two operators", second_operator=True),
        Spec("the streams stand still", Orders(at="hold.before"), fault="freeze sync"),
        *(Spec("the monolith's answers are cut", fault="cut answers of monolith") for _ in range(4)),
        Spec("the target stops", Orders(at="prepare.before"), fault="kill postmaster modern"),
        Spec("the streams are killed", fault="kill sync"),
        Spec("two operators, one waits", Orders(at="fence.after"), fault="batch job", second_operator=True),
        Spec("it dies in the stage", Orders(crash="stage.write.after#1")),
    ]
    for number, spec in enumerate(plain):
        yield Spec(spec.label, spec.orders, spec.again, spec.fault, seed * 1000 + number, spec.second_operator)


def hunt(bug: str, text: str, seed: int) -> Found:
    """Make the runs in a world with that bug until something is found."""
    began, runs = monotonic(), 0
    with Workspace("kill") as workspace:
        world = World(workspace.path, bug="" if bug == SOUND else bug)
        try:
            world.start()
            runner = Runner(world)
            runner.prepare()
            for spec in battery(seed):
                runs += 1
                outcome = runner.run(spec)
                if outcome.violations:
                    invariant, sentence = outcome.violations[0]
                    return Found(bug, text, invariant, sentence, runs, monotonic() - began)
            for result in special.run_all(runner):
                runs += 1
                if result.violations:
                    return Found(bug, text, result.invariant, result.violations[0], runs, monotonic() - began)
        except Exception as error:  # noqa: BLE001  # said in the table, and counts as not caught
            return Found(bug, text, HARNESS, f"{type(error).__name__}: {error}", runs, monotonic() - began)
        finally:
            world.close()
    return Found(bug, text, "", "", runs, monotonic() - began)


def table(found: Sequence[Found]) -> str:
    """The mutation table and the score."""
    seeded = [one for one in found if one.bug != SOUND]
    lines = [f"{'seeded bug':<38}{'found by':<10}{'runs':>5}  what was seen"]
    lines += [f"{one.bug:<38}{one.invariant or 'NOBODY':<10}{one.runs:>5}  {one.sentence[:110]}" for one in found]
    caught = sum(one.is_caught for one in seeded)
    return "\n".join([*lines, f"mutation score: {caught} of {len(seeded)}"])


def main(arguments: Sequence[str]) -> int:
    """0 if nothing is found without a bug, and at most one bug in twenty-five goes unnoticed."""
    import seeded

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = int(arguments[0]) if arguments else 1
    names = list(arguments[1:]) or [SOUND, *seeded.BUGS]
    found = []
    began = monotonic()
    for name in names:
        text = "" if name == SOUND else seeded.BUGS[name].text
        found.append(hunt(name, text, seed))
        one = found[-1]
        say(f"{one.bug}: {one.invariant or 'nothing'} {one.sentence[:160]}  [{one.runs} runs, {one.seconds:.0f} s]")
    sys.stdout.write(f"{table(found)}\n{len(found)} worlds in {monotonic() - began:.0f} s, seed {seed}\n")
    return 0 if is_good(found) else 1


def is_good(found: Sequence[Found]) -> bool:
    """Whether nothing at all was found without a bug, and at most one bug in twenty-five went uncaught."""
    seeded = [one for one in found if one.bug != SOUND]
    missed = sum(not one.is_caught for one in seeded)
    return missed * 25 <= len(seeded) and not any(one.invariant for one in found if one.bug == SOUND)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
