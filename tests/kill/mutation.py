"""How many seeded bugs the checker finds: `python -m tests.kill.mutation --seed 1 [BUG...]`.

A world is seeded, synchronised and verified once, without a bug. Each bug gets a copy of it, is in every process from
the start of that copy on, and meets the same runs in the same order until an invariant is violated; the table says by
which and after how many. Every run is also one of a copy without a bug, in which nothing may be found.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic

from runbook.demo.workspace import Workspace
from tests.kill import special
from tests.kill.campaign import say
from tests.kill.crash import Orders
from tests.kill.mutation_report import SOUND, Found, document, is_good, read, table
from tests.kill.prepared import Prepared
from tests.kill.run import Patience, Runner, Spec
from tests.kill.world import World

sys.path.append(str(Path(__file__).with_name("bugs")))
HARNESS = "harness"
BUG_SECONDS = 180.0  # no further run is begun after that; a sound world needs less
PATIENCE = Patience(rest=20, equal=10, command=40, settle=25)
Special = Callable[[World], special.Result]


def battery(seed: int) -> Iterator[Spec | Special]:
    """The runs that every bug gets: cheap ones first; last those of which no books are read, and that leave it broken."""
    runs: list[Spec | Special] = [
        Spec("nothing happens"),
        Spec("nothing happens"),
        Spec("the run is undone", Orders(fail="sequences")),
        Spec("it dies after the commit", Orders(crash="commit.after#1")),
        Spec("two operators", second_operator=True),
        Spec("it dies behind the fence", Orders(crash="fence.after#1")),
        Spec("two operators, one waits", Orders(at="fence.after"), fault="batch job", second_operator=True),
        Spec("it dies in the stage", Orders(crash="stage.write.after#1")),
        *(Spec("answers are lost", fault="lose answers") for _ in range(3)),
        Spec("the monolith's answers are cut", fault="cut answers of monolith"),
        Spec("the streams are killed in the hold", Orders(at="hold.after"), fault="kill sync"),
        Spec("the streams stand still", Orders(at="hold.before"), fault="freeze sync"),
        *(Spec("the streams are killed and started again", fault="restart sync") for _ in range(2)),
        Spec("the target stops", Orders(at="prepare.before"), fault="kill postmaster modern"),
        special.differences_are_counted,
        special.broken_journal_stops_everything,
        special.lost_slot_is_refused,
    ]
    for number, run in enumerate(runs):
        if isinstance(run, Spec):
            yield Spec(run.label, run.orders, run.again, run.fault, seed * 1000 + number, run.second_operator)
        else:
            yield run


def prepare(folder: Path) -> Prepared:
    """Make the world of which every bug gets a copy."""
    world = World(folder)
    try:
        runner = Runner(world.start())
        runner.prepare()
        world.stop()
    finally:
        world.close()
    return Prepared(folder, (world.legacy._password, world.modern._password), world.cast, runner.verified)


def hunt(bug: str, text: str, seed: int, prepared: Prepared) -> Found:
    """Make the runs in a copy with that bug until something is found, or the time is over."""
    began, runs = monotonic(), 0

    def found(invariant: str = "", sentence: str = "", label: str = "") -> Found:
        return Found(bug, text, invariant, sentence, label, runs, round(monotonic() - began, 1), seed)

    with Workspace("kill") as workspace:
        world = World(workspace.path, bug="" if bug == SOUND else bug)
        label = "it starts"
        try:
            runner = Runner(world.start(prepared), prepared.verified, PATIENCE)
            world.start_clients()
            for run in battery(seed):
                if monotonic() - began > BUG_SECONDS:
                    return found(label="the time was over")
                runs += 1
                label = run.label if isinstance(run, Spec) else run.__name__.replace("_", " ")
                for invariant, sentence in judge(runner, run):
                    return found(invariant, sentence, label)
        except Exception as error:  # noqa: BLE001  # said in the table, and counts as not caught
            return found(HARNESS, f"{type(error).__name__}: {error}", label)
        finally:
            world.close()
    return found()


def judge(runner: Runner, run: Spec | Special) -> Sequence[tuple[str, str]]:
    """Make one run; the violations that were found."""
    if isinstance(run, Spec):
        return runner.run(run).violations
    result = run(runner.world)
    return [(result.invariant, violation) for violation in result.violations]


def main(arguments: Sequence[str]) -> int:
    """0 if nothing is found without a bug, and at most one bug in twenty-five goes unnoticed."""
    import seeded

    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bugs = {SOUND: "nothing is wrong", **{name: bug.text for name, bug in seeded.BUGS.items()}}
    if unknown := set(asked.bugs) - set(bugs):
        say(f"there is no bug {', '.join(sorted(unknown))}; there are: {', '.join(bugs)}")
        return 2
    chosen = [name for name in bugs if not asked.bugs or name in asked.bugs]
    done = {one.bug: one for one in read(asked.keep, asked.seed)} if asked.keep else {}
    with Workspace("kill") as workspace:
        prepared = None
        for name in chosen:
            if name in done:
                continue
            prepared = prepared or prepare(workspace.path)
            one = done[name] = hunt(name, bugs[name], asked.seed, prepared)
            say(f"{one.bug}: {one.invariant or 'nothing'} {one.sentence[:160]}  [{one.runs} runs, {one.seconds:.0f} s]")
            if asked.keep:
                one.append_to(asked.keep)
    found = [done[name] for name in chosen]
    sys.stdout.write(table(found))
    if asked.write:
        asked.write.write_text(document(found, is_gathered=bool(asked.keep)))
    return 0 if is_good(found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.kill.mutation", description=__doc__.partition("\n")[0])
    parser.add_argument("bugs", nargs="*", metavar="BUG", help="names of seeded bugs; all where none is named")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which something is done (default 1)")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="append each finding; what is there is not hunted again"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
