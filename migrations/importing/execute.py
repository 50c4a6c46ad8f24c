"""Runs the statements of an import on a throw-away PostgreSQL: what it accepts is `executed`, the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg

from config.errors import DatabaseDown
from migrations.importing.emit import Step

_TOGETHER = 50
_CONNECT_SECONDS = 5


def execute(database_url: str, steps: Sequence[Step], tell: Callable[[int], None] = lambda _: None) -> list[Step]:
    """Run all steps in an empty database, and return those that ran; an object with a step that failed is refused.

    They run in groups, because a transaction each costs more than the statement; a group that fails is run anew, one
    by one. One connection: with two, each server process learns of every table of the other one, and 1,000 tables took
    1.4 times as long. Raises DatabaseDown.
    """
    try:
        connection = psycopg.connect(database_url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
    except psycopg.OperationalError as error:
        raise DatabaseDown("the scratch database", str(error)) from error
    done: list[Step] = []
    with connection:
        connection.execute("SET synchronous_commit = off")
        for start in range(0, len(steps), _TOGETHER):
            group = steps[start : start + _TOGETHER]
            failed = _run(connection, "BEGIN;" + ";".join(step.sql for step in group) + ";COMMIT")
            done += group if not failed else [step for step in group if _ran(connection, step)]
            tell(min(start + _TOGETHER, len(steps)))
    for step in done:
        if step.object.confidence == "parsed":
            step.object.confidence = "executed"
    return [step for step in done if step.object.confidence != "refused"]


def _ran(connection: psycopg.Connection, step: Step) -> bool:
    problem = _run(connection, step.sql)
    if problem:
        step.object.confidence = "refused"
        step.object.note("refused", f"PostgreSQL refuses it: {problem}")
    return not problem


def _run(connection: psycopg.Connection, statement: str) -> str:
    """Run it; the server's message where it fails."""
    try:
        connection.execute(statement.encode())
    except psycopg.Error as error:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.execute("ROLLBACK")
        return error.diag.message_primary or type(error).__name__
    return ""
