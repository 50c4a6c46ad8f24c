"""A command whose connection to a database breaks, anywhere, ends its run on one side: at once, or when it is run again.

Between the command and each of its databases (control, legacy, modern) stands a proxy. Each fault cuts every connection
to one of them after a share of what passes in a whole run, or when the answer to a COMMIT is on its way. The suite has
a few cuts; `make faults` has many and prints the list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest

from config.errors import StranglerError
from config.reader import read_routes
from runbook.advance import advance, back, waive
from runbook.control import Control
from runbook.journal import Journal
from tests.support.breakable import Breakable, Direction, Fault, breakable
from tests.support.crashes import IS_WHOLE
from tests.support.standing import Standing, standing
from tests.support.waiting import wait_until

LEGACY_HOME = ("canary", "legacy", ("apply", "skip"))
MODERN_HOME = ("modern", "modern", ("skip", "apply"))
PARTIES = ("control", "legacy", "modern")
RUNS_MAX = 4  # the one that breaks, and those that put it right
Cut = tuple[str, Direction, float]  # the party, the direction, and the share of a whole run; 0 is a COMMIT's answer
LOST: list[Cut] = [(party, "answered", 0.0) for party in PARTIES]
MANY: list[Cut] = [
    (party, direction, n / 6) for party in PARTIES for direction in ("asked", "answered") for n in range(1, 6)
]
CUTS = [*LOST, *MANY] if IS_WHOLE else LOST[:1]


@dataclass
class Desk:
    """A capability before its cutover, the proxies, and how many bytes pass each of them in a cutover."""

    bank: Standing
    proxies: dict[str, Breakable]
    bytes: dict[tuple[str, Direction], int]

    def fault(self, cut: Cut) -> Fault:
        party, direction, share = cut
        if not share:
            return Fault(direction, word=b"COMMIT\0")
        return Fault(direction, int(share * self.bytes[party, direction]))

    def measure(self) -> None:
        """Count what passes when nothing breaks."""
        for proxy in self.proxies.values():
            proxy.passed.clear()
        self.cut_over()
        self.bytes = {(name, way): n for name, proxy in self.proxies.items() for way, n in proxy.passed.items()}
        back(self.bank.routes, "accounts", actor="alice")

    def cut_over(self) -> None:
        """Run the command until it has ended in order."""
        for _ in range(RUNS_MAX):
            with suppress(StranglerError):
                advance(self.bank.routes, "accounts", actor="alice")
                if self.bank.stage == "modern":
                    return
        raise AssertionError(f"not done after {RUNS_MAX} runs")


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory, legacy_db: str, modern_db: str, control_db: str) -> Iterator[Desk]:
    with ExitStack() as stack:
        bank = stack.enter_context(standing(tmp_path_factory.mktemp("desk"), legacy_db, modern_db))
        urls = {"control": control_db, "legacy": legacy_db, "modern": modern_db}
        proxies = {name: stack.enter_context(breakable(url)) for name, url in urls.items()}
        text = bank.routes.read_text().replace("databases:\n", f'databases:\n  control: {{url: "{control_db}"}}\n')
        for name, url in urls.items():
            text = text.replace(f'"{url}"', f'"{proxies[name].url(url)}"')
        bank.routes.write_text(text)
        (bank.routes.parent / ".strangler" / "journal.head").unlink()  # of the control database that was there before
        lasting = timedelta(hours=1)
        waive(bank.routes, "accounts", "comparison", lasting=lasting, reason="a test", actor="alice", second="bob")
        desk = Desk(bank, proxies, {})
        if IS_WHOLE:
            desk.measure()
        yield desk


def test_a_cutover_ends_on_one_side(desk: Desk) -> None:
    bank, broken = desk.bank, Counter[bool]()
    for cut in CUTS:
        proxy = desk.proxies[cut[0]]
        proxy.break_once(desk.fault(cut))
        desk.cut_over()
        wait_until(lambda: situation(bank) == MODERN_HOME, f"{cut}: modern is the home")
        assert not bank.gateway.holds, cut
        broken[proxy.has_broken.is_set()] += 1
        proxy.break_once(Fault("asked", 1 << 40))
        back(bank.routes, "accounts", actor="alice")
        wait_until(lambda: situation(bank) == LEGACY_HOME, f"{cut}: legacy is the home again")
        bank.write()
    assert broken[True] >= 0.9 * len(CUTS), "a run that goes on from another may end before its share has passed"
    control = Control.of(read_routes(bank.routes))
    assert Journal(control).verify().ok
    control.close()


def situation(bank: Standing) -> tuple[str, str, tuple[str, str]]:
    return bank.stage, bank.home, bank.modes
