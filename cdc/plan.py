"""The two streams of a capability as plain facts: names, ends, mappings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cdc.mapping import Mapping
from cdc.sentinel import SENTINEL, SENTINEL_TABLE
from cdc.state import Mode, StreamState
from cdc.streaming.slots import name_of

Direction = Literal["forward", "reverse"]


@dataclass(frozen=True)
class StreamPlan:
    """One stream. `mappings` are the capability's, parents before children; the sentinel's comes on top."""

    capability: str
    direction: Direction
    source_url: str
    target_url: str
    mappings: tuple[Mapping, ...]
    state: str = "streaming"  # what its row says while it runs: `backfill` where only some tables are brought on

    @property
    def name(self) -> str:
        """Its name in `strangler.stream`."""
        return f"{self.capability}:{self.direction}"

    @property
    def slot(self) -> str:
        """Its slot on the source; the publication has the same name."""
        return name_of(self.capability, self.direction)

    @property
    def all_mappings(self) -> tuple[Mapping, ...]:
        """What the stream carries."""
        return (*self.mappings, SENTINEL)

    @property
    def published(self) -> Sequence[str]:
        """The tables of the publication."""
        return [*(mapping.source_table for mapping in self.mappings), SENTINEL_TABLE]

    def row(self, system: tuple[str, int], position: str | None, mode: Mode, state: str) -> StreamState:
        """Its row of `strangler.stream`, for a slot of that system and timeline that begins at the position."""
        now = datetime.now(UTC)
        return StreamState(
            name=self.name,
            system_id=system[0],
            timeline=system[1],
            slot=self.slot,
            slot_created_lsn=position,
            position=position,
            commit_at=now if position else None,
            mode=mode,
            marker=None,
            marker_position=None,
            state=state,
            error=None,
            applied_rows=0,
            applied_transactions=0,
            skipped_transactions=0,
            alarms=0,
            last_alarm=None,
            heartbeat_at=None,
            updated_at=now,
        )
