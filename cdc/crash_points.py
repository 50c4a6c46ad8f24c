"""Named moments between two steps of a stream, so that a test can kill the process at each of them.

Nothing happens at them in the product: there is no switch. A test's own process puts something in `hook`. Each name is
passed at exactly one place of the code, and a test holds that this list and the code agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

SetupPoint = Literal[
    "setup.tables",  # our tables, functions, fences are there; no publication, no slot
    "setup.reverse_slot",  # the reverse slot is there, its row is not
    "setup.reverse_row",  # the reverse stream is whole; nothing of the forward one
    "backfill.row",  # the forward row says backfill; there is no slot
    "backfill.caught_up",  # tables of an interrupted backfill that were done are at a new snapshot; others are missing
    "backfill.slot",  # slot and snapshot are there; nothing is copied
    "backfill.copied",  # the rows of a table, or of a range of it, are in an open transaction
    "backfill.committed",  # they are committed; others may be missing
    "backfill.tables",  # all tables are copied; the row still says backfill
    "backfill.done",  # the row says streaming; nobody streams
]
StreamPoint = Literal[
    "stream.started",  # the server sends; nothing was read
    "read.sealed",  # a part is framed; the applier does not have it
    "apply.begun",  # the target waits for rows; some may be in the staging tables
    "apply.staged",  # it has had them all and goes on by itself, perhaps to its COMMIT; we have heard nothing
    "apply.committed",  # rows and position are committed; we have not heard of it
    "confirm.durable",  # the target has it on disk; the source does not know
    "confirm.told",  # the source was told
]
Point = SetupPoint | StreamPoint
SETUP_POINTS: tuple[SetupPoint, ...] = get_args(SetupPoint)
STREAM_POINTS: tuple[StreamPoint, ...] = get_args(StreamPoint)


def _nothing(_: Point) -> None:
    pass


hook: Callable[[Point], None] = _nothing


def reached(point: Point) -> None:
    """The process is at this moment."""
    hook(point)
