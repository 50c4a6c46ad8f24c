"""What is taken away when a capability is abandoned: streams, slots, fences; the rows on modern stay where they are."""

from __future__ import annotations

from psycopg import sql

from cdc import fence
from cdc.streaming import slots
from runbook.people_errors import StreamsRun
from runbook.sides import Side, mapped
from runbook.steps import GroundStep

DIRECTIONS = ("forward", "reverse")


class StreamsStandStill(GroundStep):
    """No process reads the capability's slots: one that is running would make them anew."""

    name = "streams"

    def describe(self) -> str:
        """Which."""
        return f"nobody reads the slots of {self.ground.name}"

    def run(self) -> str:
        """Look. Raises StreamsRun."""
        for side, direction in _sources(self):
            with mapped(side.database):
                found = slots.read_slot(side.conn, slots.name_of(self.ground.name, direction))
            if found is not None and found.active_pid is not None:
                raise StreamsRun(self.ground.name, side.database)
        return "they stand still"


class StreamsEnded(GroundStep):
    """Slots, publications, fences and the streams' rows are gone, so that nothing holds back anybody's log."""

    name = "streams"

    def describe(self) -> str:
        """What goes, and what stays."""
        both = self.ground.both
        return (
            f"drop slots, publications and fences of {self.ground.name} in {both.legacy.database} and "
            f"{both.modern.database}; the rows of {both.modern.database} stay"
        )

    def is_done(self) -> bool:
        """Whether no slot is left; they go last."""
        for side, direction in _sources(self):
            with mapped(side.database):
                if slots.read_slot(side.conn, slots.name_of(self.ground.name, direction)) is not None:
                    return False
        return True

    def run(self) -> str:
        """Drop them; each may be gone already."""
        for side, direction in _sources(self):
            other = self.ground.both.other(side.home)
            name = slots.name_of(self.ground.name, direction)
            with mapped(side.database):
                fence.drop_fence(side.conn, side.tables)
                side.conn.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name)))
            if other.ask("SELECT to_regclass('strangler.stream') IS NOT NULL")[0][0]:
                other.ask("DELETE FROM strangler.stream WHERE name = %s", (f"{self.ground.name}:{direction}",))
            with mapped(side.database):
                slots.drop_slot(side.conn, name)
        return "gone"


def _sources(step: GroundStep) -> tuple[tuple[Side, str], ...]:
    """The source of each stream."""
    both = step.ground.both
    return (both.legacy, DIRECTIONS[0]), (both.modern, DIRECTIONS[1])
