"""Damage done from outside, to see the demo's proof fail: the product holds no switch for it.

Each act uses nothing but what anybody with the database's password or the file's path could use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import psycopg

from config.reader import read_routes
from config.writer import set_stage
from runbook.demo.operation import Operation, read_history
from runbook.demo.world import CAPABILITY, World

Sabotage = Literal["lose-a-change", "double-a-change", "flip-before-drain"]


def lose_a_change(world: World) -> str:
    """Delete both postings of an acknowledged transfer from the modern database, constraints switched off."""
    victim = _last_acknowledged(world)
    with psycopg.connect(world.modern_url, application_name="saboteur") as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM posting WHERE reference = %s", (victim.reference,))
    return f"deleted transfer {victim.reference} from the modern database"


def double_a_change(world: World) -> str:
    """Post an acknowledged transfer a second time in the modern database, balances and all."""
    victim = _last_acknowledged(world)
    with psycopg.connect(world.modern_url, application_name="saboteur") as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO posting (booked_on, sequence, account_id, reference, kind, direction, amount, balance_after, "
            "counterparty, posted_at, note) SELECT booked_on, nextval('posting_sequence'), account_id, reference, "
            "kind, direction, amount, balance_after, counterparty, posted_at, note FROM posting WHERE reference = %s",
            (victim.reference,),
        )
    return f"posted transfer {victim.reference} twice in the modern database"


def flip_before_drain(world: World) -> str:
    """Write stage modern into routes.yaml while clients write: no hold, no fence, no drain."""
    set_stage(world.routes, CAPABILITY, "modern", read_routes(world.routes).digest)
    return "wrote stage modern into routes.yaml, without hold, fence or drain"


AT_THE_END: dict[Sabotage, Callable[[World], str]] = {
    "lose-a-change": lose_a_change,
    "double-a-change": double_a_change,
}


def _last_acknowledged(world: World) -> Operation:
    return [one for one in read_history(world.history) if one.kind == "transfer" and one.outcome == "ok"][-1]
