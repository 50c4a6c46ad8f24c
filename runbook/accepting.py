"""A person accepts what the comparison proposes as noise: a line in routes.yaml, and an entry in the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import ClassVar

from config.errors import USAGE, StranglerError
from config.reader import read_routes
from config.rule_writer import prepare_ignore
from config.writer import write
from runbook.comparison import read_report
from runbook.control import Control
from runbook.journal import Journal
from runbook.persons import same_person
from shadow.noise import Noisy, last_day, proposal

PROPOSALS_SHOWN_MAX = 10


@dataclass(frozen=True)
class Accepted:
    """A rule that was written, with what it rests on."""

    capability: str
    route: str
    path: str
    reason: str
    until: date
    actor: str
    evidence: str
    reads: int
    differing: int
    line: str
    digest: str


@dataclass(eq=False)
class NotProposed(StranglerError):
    """A rule was to be accepted that the comparison does not propose."""

    path: str
    why: str
    proposed: tuple[str, ...]
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The path and the reason."""
        return f"No rule is proposed for {self.path}: {self.why}."

    @property
    def hint(self) -> str:
        """What is proposed."""
        if not self.proposed:
            return "Nothing is proposed at the moment; a share of reads must be asked of legacy twice (shadow.noise)."
        return f"Proposed: {'; '.join(self.proposed[:PROPOSALS_SHOWN_MAX])}."


@dataclass(eq=False)
class NoReason(StranglerError):
    """A rule was to be accepted without a reason."""

    exit_code: ClassVar[int] = USAGE
    says: ClassVar[str] = "A rule needs a reason of at least three characters: somebody will ask for it."


def accept(  # noqa: PLR0913  # the words of one sentence, all of them named by the caller
    routes_path: Path,
    capability: str,
    path: str,
    *,
    route: str | None = None,
    actor: str,
    reason: str,
    today: date | None = None,
) -> Accepted:
    """Write the rule for a proposal. Raises UnknownCapability, StoreDown, NotProposed, NoReason, RuleNotPlaced,
    RoutesChanged, JournalBroken."""
    if len(reason.strip()) < 3:
        raise NoReason
    day = today or datetime.now(UTC).date()
    routes = read_routes(routes_path)
    noisy = _chosen(read_report(routes_path, capability, day).noise, path, route)
    line = proposal(noisy, day, reason)
    number = next(index for index, one in enumerate(routes.routes) if one.name == noisy.route)
    change = prepare_ignore(routes_path, number, line, routes.digest)
    given = Accepted(
        capability, noisy.route, path, reason.strip(), last_day(day), same_person(actor), noisy.evidence, noisy.reads,
        noisy.differing, line, change.digest,
    )  # fmt: skip
    control = Control.of(routes)
    try:
        with Journal(control).page() as page:  # both or neither, but for a kill between the two
            page.append("rule.accepted", given.actor, capability, {**vars(given), "replaces": change.replaces})
            write(change)
    finally:
        control.close()
    return given


def _chosen(noise: tuple[Noisy, ...], path: str, route: str | None) -> Noisy:
    proposed = tuple(f"{one.path} of {one.route}" for one in noise if one.is_proposed)
    found = [one for one in noise if one.path == path and route in (None, one.route)]
    if not found:
        raise NotProposed(path, "legacy has not been seen to differ from itself there", proposed)
    wanted = [one for one in found if one.is_proposed]
    if len(wanted) > 1:
        raise NotProposed(path, "several routes have noise there, so --route must say which", proposed)
    if not wanted:
        raise NotProposed(path, found[0].objection, proposed)
    return wanted[0]
