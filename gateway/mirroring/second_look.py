"""Asks legacy once more what it has just answered, for a share of safe reads: what differs then is its own noise."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.mirroring.witness import Witnessed
from shadow.observation import Noise

if TYPE_CHECKING:
    from gateway.mirroring.call import Call
    from gateway.mirroring.mirror import Mirror
    from gateway.mirroring.shot import Shot


class SecondLooks:
    """Those under way, bounded; past the bound, and while nobody could take what comes of it, nobody is asked."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._under_way = 0

    def maybe(self, shot: Shot, first: Witnessed) -> None:
        """Ask again, if this read is in the sample. `first` is what legacy has answered."""
        mirror = self._mirror
        is_free = self._under_way < mirror.limits.mirror_repeats_max and not (mirror.is_draining or mirror.link.is_busy)
        if not is_free or mirror.link.is_away or random.random() >= shot.plan.noise:  # noqa: S311 - a sample
            return
        plan = shot.plan

        def answered(call: Call) -> None:
            self._under_way -= 1
            if call.problem is None and not (mirror.link.is_away or mirror.link.is_busy):
                again = call.witnessed("legacy").observation()
                at = datetime.now(UTC).timestamp()
                mirror.link.send(Noise(plan.name, plan.capability or "", first.observation(), again, at))

        self._under_way += 1
        if not shot.ask_legacy(answered):
            self._under_way -= 1
