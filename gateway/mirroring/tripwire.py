"""Takes a capability's reads off modern at once, when an answer of modern was about another customer.

In stage canary the percentage becomes 0 in routes.yaml, as if somebody had written it, so every gateway follows and a
restart changes nothing. In the other stages no client has got the answer (shadow), or the data has its home in modern
(modern): there it is told, and the gate fails until the run begins anew.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from config.errors import RoutesChanged, StranglerError
from config.reader import digest_of
from config.writer import set_percent
from shadow.observation import Pair
from shadow.tally import Judged

ATTEMPTS = 5

log = structlog.get_logger()


class Tripwire:
    """One for each process that compares; a capability is taken off once until the table changes."""

    def __init__(self, routes: Path) -> None:
        self._routes = routes
        self._tripped: set[str] = set()

    def forget(self) -> None:
        """A new table is in force: whoever raised the percentage again has decided so."""
        self._tripped.clear()

    def look(self, judged: Judged) -> None:
        """Act, if both sides of a pair answered about different customers."""
        pair, verdict = judged
        if verdict is not None and verdict.foreign and isinstance(pair, Pair):
            self._touched(pair)

    def _touched(self, pair: Pair) -> None:
        if pair.capability in self._tripped:
            return
        self._tripped.add(pair.capability)
        is_off = pair.stage == "canary" and self._take_off(pair.capability)
        log.error(
            "comparer.foreign_answer", route=pair.route, capability=pair.capability, stage=pair.stage, taken_off=is_off
        )

    def _take_off(self, capability: str) -> bool:
        for _ in range(ATTEMPTS):
            try:
                set_percent(self._routes, capability, 0, digest_of(self._routes.read_bytes()))
                return True
            except RoutesChanged:
                continue
            except (StranglerError, OSError) as error:
                log.error("comparer.not_taken_off", capability=capability, reason=str(error))  # noqa: TRY400
                return False
        return False
