"""Which runs are made, in which order, and what is said of them at the end.

    lines    the command dies once at every line of runbook/execute.py, in the run that reaches it
    once     it dies once at every crash point
    twice    it dies there, and the command that recovers dies at the same point again, where it comes by
    pairs    it dies at one point, and the command that recovers at another
    faults   something else dies, freezes or is cut while the command waits at a point, or at any moment
    other    two operators, a full disk, a clock that jumps, a lease that ends; nothing at all

With fewer runs than there are kinds of them, the seed chooses.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from runbook.demo.workspace import Workspace
from tests.kill import special
from tests.kill.crash import NAMES, UNDO_NAMES, Orders, lines_of_execute
from tests.kill.nemesis import FAULTS
from tests.kill.run import Outcome, Runner, Spec
from tests.kill.world import World

RUNS_IN_A_WORLD = 60
MOMENTS = (
    "prepare.after", "hold.before", "hold.after", "fence.lock.after", "fence.after", "drain.before", "drain.after",
    "spot.after", "commit.before", "commit.after", "reverse.before", "reverse.after", "stage.write.after",
    "stage.after", "release.after",
)  # fmt: skip
# How a run is led to the lines and points that a smooth one does not reach.
WAYS: dict[str, Spec] = {
    spec.label: spec
    for spec in (
        Spec("smooth"),
        Spec("undone", Orders(fail="sequences")),
        Spec("undo fails", Orders(fail="sequences,undo.fence")),
        Spec("recovers an open run", Orders(crash="drain.after#1"), Orders()),
        Spec("recovers a committed run", Orders(crash="commit.after#1"), Orders()),
        Spec("stage fails", Orders(fail="stage")),
        Spec("commit fails", Orders(fail="commit")),
        Spec("commit and its answer are lost", Orders(disk_bytes=1)),
        Spec("a session of the runbook ends", Orders(at="fence.lock.after"), fault="end runbook's session legacy"),
        Spec("somebody edits routes.yaml", Orders(at="hold.after"), fault="edit routes.yaml"),
        Spec("recovers a run with its stage written", Orders(crash="stage.after#1"), Orders()),
        Spec("interrupted before the commit", Orders(interrupt="commit.before")),
        Spec("interrupted behind the commit", Orders(interrupt="commit.after")),
    )
}  # fmt: skip
# A command stands still in the middle of a step, its lease ends, another one takes over and is done, and the first goes
# on. The product does not survive this yet (docs/operations.md, Known limits), so it is asked for by name.
OVERTAKEN = (
    *(
        Spec(f"its lease ends at {at}", Orders(fail=fail, at=at, lease_seconds=0.01), fault="another operator")
        for at, fail in (("fence.after", ""), ("undo.fence.before", "sequences"), ("commit.before", ""), ("stage.after", ""))
    ),
    *(
        Spec(f"two operators and a lease that ended at {at}", Orders(at=at, lease_seconds=0.01), fault="batch job", second_operator=True)
        for at in ("hold.after", "fence.after", "stage.write.before")
    ),
)  # fmt: skip


@dataclass
class Total:
    """Everything that a campaign found."""

    seed: int
    outcomes: list[Outcome] = field(default_factory=list)
    special: list[special.Result] = field(default_factory=list)
    worlds: int = 0
    unreached_lines: tuple[int, ...] = ()
    began: float = field(default_factory=monotonic)

    @property
    def violations(self) -> list[tuple[str, str, str]]:
        found = [(one.spec.label, *violation) for one in self.outcomes for violation in one.violations]
        return found + [(one.label, one.invariant, text) for one in self.special for text in one.violations]

    @property
    def runs(self) -> int:
        return len(self.outcomes) + len(self.special)


def specs(seed: int, runs: int, lines: dict[int, str]) -> Iterator[Spec]:
    """The runs of a campaign; `lines` says which way reaches each line of execute.py."""
    chance = random.Random(seed)
    by_kind: dict[str, list[Spec]] = {
        "once": [_at(name, f"{name}#1", None) for name in NAMES],
        "lines": [_line(line, way) for line, way in lines.items()],
        "twice": [_at(name, f"{name}#1", f"{name}#1") for name in NAMES],
        "later": [_at(name, f"{name}#2", None) for name in ("journal.head.before", "journal.head.after")],
        "pairs": [_at(a, f"{a}#1", f"{b}#1") for a, b in _pairs(chance)],
        "faults": [_fault(fault, chance) for fault in FAULTS for _ in range(2)],
        "other": list(_others()),
    }
    for kind in by_kind.values():
        chance.shuffle(kind)
    if runs >= len(by_kind["once"]) + len(by_kind["lines"]):
        ordered = [spec for kind in by_kind.values() for spec in kind]
    else:  # a short form takes from each kind in turn
        ordered = [spec for turn in range(runs) for kind in by_kind.values() for spec in kind[turn : turn + 1]]
    while len(ordered) < runs:
        a, b = chance.sample(NAMES, 2)
        ordered.append(
            _at(a, f"{a}#1", f"{b}#1") if chance.random() < 0.4 else _fault(chance.choice(list(FAULTS)), chance)
        )
    chosen = ordered[:runs]
    chance.shuffle(chosen)
    for number, spec in enumerate(chosen):
        yield replace(spec, seed=seed * 1000 + number)


def _at(name: str, first: str, second: str | None) -> Spec:
    fail = "sequences" if name in UNDO_NAMES else ""
    again = Orders(crash=second) if second else None
    label = f"dies at {first}" + (f", then at {second}" if second else "")
    return Spec(label, Orders(crash=first, fail=fail), again)


def _line(line: int, way: str) -> Spec:
    return replace(_with(WAYS[way], line=line), label=f"dies at line {line} ({way})")


def _with(way: Spec, **orders: Any) -> Spec:
    """That way, with these orders for the command that it is about: the one that recovers, where there is one."""
    if way.again is None:
        return replace(way, orders=msgspec.structs.replace(way.orders, **orders))
    return replace(way, again=msgspec.structs.replace(way.again, **orders))


def _pairs(chance: random.Random) -> Iterator[tuple[str, str]]:
    late = [name for name in NAMES if name.partition(".")[0] not in ("lease", "run", "preflight", "approvals")]
    for _ in range(40):
        a, b = chance.sample(late, 2)
        yield a, b


def _fault(fault: str, chance: random.Random) -> Spec:
    at = chance.choice((*MOMENTS, ""))
    return Spec(f"{fault} {'at ' + at if at else 'at any moment'}", Orders(at=at), fault=fault)


def _others() -> Iterator[Spec]:
    for _ in range(3):
        yield Spec("nothing happens")
        yield Spec("two operators at once", second_operator=True)
    for moment in ("hold.after", "commit.before", "release.after"):
        yield Spec(f"clock jumps an hour at {moment}", Orders(at=moment, clock_seconds=3600), fault="batch job")
        yield Spec(f"clock jumps back at {moment}", Orders(at=moment, clock_seconds=-3600), fault="edit routes.yaml")
    for count in (1, 9_000, 25_000, 60_000, 120_000):
        yield Spec(f"the control database's disk is full after {count} bytes", Orders(disk_bytes=count))


def reach(runner: Runner) -> tuple[dict[int, str], tuple[int, ...], list[Outcome]]:
    """Find out by runs which way reaches each line of execute.py; lines that none reaches are named."""
    found: dict[int, str] = {}
    outcomes = []
    for way, spec in WAYS.items():
        outcome = runner.run(replace(_with(spec, lines_to="yes"), label=f"goes the way: {way}"))
        outcomes.append(outcome)
        for line in outcome.lines:
            found.setdefault(line, way)
    everything = lines_of_execute()
    return found, tuple(line for line in everything if line not in found), outcomes


def campaign(
    seed: int, runs: int, say: Callable[[str], None], *, with_lines: bool = True, only: Sequence[Spec] | None = None
) -> Total:
    """Make the runs, in as many worlds as they need; a world in which something was wrong is not used again."""
    total = Total(seed)
    lines: dict[int, str] = {}
    queue: list[Spec] | None = None if only is None else list(only)
    while queue is None or queue:
        with Workspace("kill") as workspace:
            world = World(workspace.path)
            try:
                runner = _open(world, total)
                if queue is None:
                    if with_lines:
                        lines, total.unreached_lines, outcomes = reach(runner)
                        total.outcomes += outcomes
                        for outcome in outcomes:
                            _say(total, outcome, say)
                    queue = list(specs(seed, runs - len(total.outcomes) - special.COUNT, lines))
                _use(runner, queue, total, say)
                if not queue:
                    for result in special.run_all(runner):
                        total.special.append(result)
                        say(f"{total.runs:>4}  {result.label}: {result.violations or 'nothing wrong'}")
            finally:
                _keep_logs(workspace.path, total)
                world.close()
    return total


def _open(world: World, total: Total) -> Runner:
    world.start()
    total.worlds += 1
    runner = Runner(world)
    runner.prepare()
    world.start_clients()
    return runner


def _use(runner: Runner, queue: list[Spec], total: Total, say: Callable[[str], None]) -> None:
    for _ in range(RUNS_IN_A_WORLD):
        if not queue:
            return
        spec = queue.pop(0)
        outcome = _guarded(runner, spec)
        total.outcomes.append(outcome)
        _say(total, outcome, say)
        if outcome.violations:
            return


def _guarded(runner: Runner, spec: Spec) -> Outcome:
    try:
        return runner.run(spec)
    except Exception as error:  # noqa: BLE001  # a harness that fails has found something, and goes on in a new world
        outcome = Outcome(spec, "?")
        outcome.violations.append(("harness", f"{type(error).__name__}: {str(error)[:500]}"))
        return outcome


def _say(total: Total, outcome: Outcome, say: Callable[[str], None]) -> None:
    result = "; ".join(f"{name} {text}" for name, text in outcome.violations) or "ok"
    say(
        f"{total.runs:>4}  {outcome.move:<8}{outcome.spec.label}: {result}  [{outcome.commands} commands, {outcome.seconds:.1f} s, seed {outcome.spec.seed}]"
    )


def _keep_logs(folder: Path, total: Total) -> None:
    """Where something was wrong, keep what the processes said and what the clients wrote down."""
    if not total.outcomes or not total.outcomes[-1].violations:
        return
    kept = Path("kill-logs") / f"{total.seed}-{total.runs}"
    kept.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.log", "command-*.txt", "*.yaml", "history-*.jsonl", "control.db*"):
        for file in folder.glob(pattern):
            (kept / file.name).write_bytes(file.read_bytes())


def deaths(outcomes: Sequence[Outcome]) -> tuple[set[str], set[str], set[tuple[str, str]]]:
    """At which points a command died; at which the one that recovered died again; and at which two different ones."""
    once: set[str] = set()
    twice: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    for one in outcomes:
        first = one.spec.orders.crash.partition("#")[0]
        second = one.spec.again.crash.partition("#")[0] if one.spec.again else ""
        if first and one.died:
            once.add(first)
        if first and second and one.died > 1:
            if first == second:
                twice.add(first)
            else:
                pairs.add((first, second))
    return once, twice, pairs


def report(total: Total) -> str:
    """The kill report."""
    hits = Counter(name for one in total.outcomes for name in one.hits)
    died = [one for one in total.outcomes if one.spec.orders.crash or one.spec.orders.line]
    once, twice, pairs = deaths(total.outcomes)
    at = once | {second for _, second in pairs} | twice
    lines = {
        one.spec.orders.line or (one.spec.again.line if one.spec.again else 0) for one in total.outcomes if one.died
    }
    lines.discard(0)
    sometimes = Counter(what for one in total.outcomes for what in one.sometimes)
    faults = Counter(one.spec.fault for one in total.outcomes if one.spec.fault)
    operations: Counter[str] = Counter()
    for one in total.outcomes:
        operations.update(one.operations)
    rows: list[tuple[str, Any]] = [
        ("seed", f"{total.seed}; run n has seed {total.seed * 1000} + n - 1"),
        ("runs", f"{total.runs} in {total.worlds} worlds, {monotonic() - total.began:.0f} s"),
        (
            "operations",
            f"{sum(operations.values()):,}: {operations['ok']:,} ok, {operations['fail']:,} fail, {operations['unknown']:,} unknown",
        ),
        (
            "commands",
            f"{sum(one.commands for one in total.outcomes):,}, of which {sum(one.died for one in total.outcomes)} were killed",
        ),
        ("crash points", f"died at {len(at)} of {len(NAMES)}{_missing(set(NAMES) - at, total)}"),
        ("  died once", f"at {len(once)} of {len(NAMES)}"),
        ("  died twice", f"at {len(twice)} of {len(NAMES)}, there and again when the command recovered"),
        ("  in pairs", f"{len(pairs)} pairs of two different points"),
        ("points passed", f"{sum(1 for name in NAMES if hits[name])} of {len(NAMES)}"),
        (
            "execute.py",
            f"died at {len(lines)} of {len(lines_of_execute())} lines"
            + (f"; no way reaches {', '.join(map(str, total.unreached_lines))}" if total.unreached_lines else ""),
        ),
        ("runs that died", f"{len([one for one in died if one.died])}"),
        ("faults", ", ".join(f"{name} {count}" for name, count in sorted(faults.items())) or "none"),
        ("sometimes", ", ".join(f"{what}: {count}" for what, count in sometimes.most_common()) or "nothing"),
        ("violations", len(total.violations)),
    ]
    text = "\n".join(f"{name:<15} {value}" for name, value in rows)
    if not total.violations:
        return f"{text}\n{'bound':<15} below {3 / total.runs:.2%} of runs at 95 % (3/n)"
    return text + "".join(f"\n  {label}: {name} {sentence}" for label, name, sentence in total.violations)


def _missing(names: set[str], total: Total) -> str:
    return f"; not at {', '.join(sorted(names))}" if names and total.runs >= 200 else ""


def say(text: str) -> None:
    """Progress goes to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> int:
    """`python -m tests.kill SEED RUNS`: the report on stdout; 0 without a violation. `overtaken` for RUNS: only those."""
    match list(arguments):
        case [seed, "overtaken"] if seed.isdecimal():
            total = campaign(int(seed), 0, say, only=OVERTAKEN)
        case [seed, runs] if seed.isdecimal() and runs.isdecimal():
            total = campaign(int(seed), int(runs), say, with_lines=int(runs) >= 200)
        case _:
            say("usage: python -m tests.kill SEED RUNS|overtaken    (make kill SEED=1 RUNS=380; make kill-smoke)")
            return 2
    sys.stdout.write(f"{report(total)}\n")
    return 1 if total.violations else 0
