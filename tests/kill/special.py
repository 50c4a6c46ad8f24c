"""Runs that a state at rest cannot check: a slot that is lost (I16), k differences that are k (I18), a broken journal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

import psycopg

from tests.kill import books, checker
from tests.kill.run import Runner
from tests.kill.world import CAPABILITY, World

COUNT = 3
DIFFERENCES = 7
BLOCKED, DIFFERENT = 3, 6


@dataclass
class Result:
    """What such a run found."""

    label: str
    invariant: str
    violations: list[str] = field(default_factory=list)


def run_all(runner: Runner) -> Iterator[Result]:
    """All of them, at the end of a world: two of them leave it broken."""
    yield differences_are_counted(runner.world)
    yield broken_journal_stops_everything(runner.world)
    yield lost_slot_is_refused(runner.world)


def differences_are_counted(world: World) -> Result:
    """Seven rows are changed behind everybody's back: verify must name seven, and none once they are mended."""
    result = Result(f"{DIFFERENCES} rows differ", "I18")
    world.rest()
    sleep(0.5)
    change = "UPDATE customer SET name = name || '?' WHERE customer_id IN (SELECT customer_id FROM customer ORDER BY 1 LIMIT 7)"
    mend = "UPDATE customer SET name = rtrim(name, '?') WHERE name LIKE '%?'"
    side, url = ("modern", world.modern_url) if world.stage == "canary" else ("legacy", world.legacy_url)
    if side == "legacy":
        change, mend = (
            text.replace("customer_id", "cust_no").replace("name", "cust_nm").replace("customer", "custmast")
            for text in (change, mend)
        )
    world.process("sync").kill()
    world.process("sync").wait(10)
    for statement, wanted, code in ((change, DIFFERENCES, DIFFERENT), (mend, 0, 0)):
        _behind_everybody(url, statement, "reverse" if side == "legacy" else "forward")
        command = world.run("sync", "verify", CAPABILITY, "--direction", "forward", "--json")
        found = -1
        if "{" in command.output:
            said = result_of(command.output)
            found = sum(table["differences"] for one in said.get("results", ()) for table in one["tables"])
        if found != wanted or command.status != code:
            result.violations.append(f"verify found {found} of {wanted} differences, exit {command.status}")
    world.revive("sync")
    world.wait_ready()
    world.go_on()
    return result


def result_of(output: str) -> dict[str, Any]:
    """The last JSON document of what a command printed: lines of progress on stderr, JSON too, come before it."""
    decoder, at, said = json.JSONDecoder(), output.find("{"), {}
    while at >= 0:
        said, end = decoder.raw_decode(output, at)
        at = output.find("{", end)
    return said


def _behind_everybody(url: str, statement: str, direction: str) -> None:
    """Write as the applier of that stream would, while it is down: neither fence nor streams take notice."""
    deadline = monotonic() + 10
    while True:
        try:
            with psycopg.connect(url) as connection:
                connection.execute("SET session_replication_role = replica")
                connection.execute(
                    "SELECT pg_replication_origin_session_setup(%s)", (f"strangler:{CAPABILITY}:{direction}",)
                )
                connection.execute(statement.encode())
                return
        except psycopg.errors.ObjectInUse:
            assert monotonic() < deadline
            sleep(0.05)


def broken_journal_stops_everything(world: World) -> Result:
    """An entry is changed in the file: verify exits 6 and names it, and nothing else runs."""
    result = Result("an entry of the journal is changed", "I14")
    connection = sqlite3.connect(world.control)
    (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'journal_no_update'").fetchone()
    (kept,) = connection.execute("SELECT payload FROM journal WHERE seq = 2").fetchone()
    connection.execute("DROP TRIGGER journal_no_update")
    connection.execute("UPDATE journal SET payload = '{}' WHERE seq = 2")
    connection.commit()
    verify = world.run("journal", "verify")
    if verify.status != DIFFERENT or "2" not in verify.output:
        result.violations.append(f"journal verify: exit {verify.status}")
    stage = world.stage
    move = world.run("advance" if stage == "canary" else "back", CAPABILITY, "--yes")
    if move.status != DIFFERENT or world.stage != stage:
        result.violations.append(f"a move on a broken journal: exit {move.status}, stage {world.stage}")
    connection.execute("DROP TRIGGER IF EXISTS journal_no_update")
    connection.execute("UPDATE journal SET payload = ? WHERE seq = 2", (kept,))
    connection.execute(trigger)
    connection.commit()
    connection.close()
    return result


def lost_slot_is_refused(world: World) -> Result:
    """The home's slot is dropped and made anew: what was written in between is lost, so the cutover must be refused."""
    result = Result("a slot is dropped and made anew", "I16")
    world.heal()
    home_url = world.legacy_url if world.stage == "canary" else world.modern_url
    direction = "forward" if world.stage == "canary" else "reverse"
    world.process("sync").kill()
    world.process("sync").wait(10)
    with psycopg.connect(home_url, autocommit=True) as connection:
        slots = connection.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
        for (slot,) in slots.fetchall():
            deadline = monotonic() + 10
            while True:
                try:
                    connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
                    break
                except psycopg.errors.ObjectInUse:
                    assert monotonic() < deadline
                    sleep(0.05)
            sleep(0.5)  # clients write what no slot keeps
            connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
    world.revive("sync")
    stage = world.stage
    move = world.run("advance" if stage == "canary" else "back", CAPABILITY, "--yes")
    if move.status == 0 or world.stage != stage:
        result.violations.append(f"the {direction} slot was lost, and the move went on: exit {move.status}")
    account = world.cast.actors[0].account
    sides = (("modern", world.modern_url), ("legacy", world.legacy_url))
    other, home = (books.read(side, url, account) for side, url in (sides if stage == "canary" else sides[::-1]))
    if missing := checker.gaps(home, other):
        result.violations.append(f"the {direction} stream went on behind {len(missing)} postings that it never carried")
    return result
