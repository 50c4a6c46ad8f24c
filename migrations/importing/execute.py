"""Runs the statements of an import on a throw-away PostgreSQL: what it accepts is `executed`, the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from queue import SimpleQueue

import psycopg

from config.errors import DatabaseDown
from migrations.importing.emit import Step

_TOGETHER = 50
_CONNECT_SECONDS = 5
_SIDE_BY_SIDE = 2
# What needs nothing of its own kind. Foreign keys lock two tables each, so they are not among them.
_INDEPENDENT = ("CREATE TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX")
Group = Sequence[Step]


def execute(database_url: str, steps: Sequence[Step], tell: Callable[[int], None] = lambda _: None) -> list[Step]:
    """Run all steps in an empty database, and return those that ran; an object with a step that failed is refused.

    They run in groups, because a transaction each costs more than the statement; a group that fails is run anew, one
    by one. Tables, and then indexes, are made on two connections at a time: 5,000 tables take the server longer than
    the reader. Raises DatabaseDown.
    """
    done: list[Step] = []
    told = 0
    with ExitStack() as opened:
        free: SimpleQueue[psycopg.Connection] = SimpleQueue()
        for _ in range(_SIDE_BY_SIDE):
            free.put(opened.enter_context(_connected(database_url)))
        pool = ThreadPoolExecutor(_SIDE_BY_SIDE)
        opened.callback(pool.shutdown, cancel_futures=True)  # who is interrupted waits for what runs, not for the rest

        def run(group: Group) -> list[Step]:
            connection = free.get()
            try:
                return _run_group(connection, group)
            finally:
                free.put(connection)

        for groups in _phases(steps):
            for group, ran in zip(groups, pool.map(run, groups), strict=True):
                done += ran
                told += len(group)
                tell(told)
    for step in done:
        if step.object.confidence == "parsed":
            step.object.confidence = "executed"
    return [step for step in done if step.object.confidence != "refused"]


def _connected(database_url: str) -> psycopg.Connection:
    try:
        connection = psycopg.connect(database_url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
    except psycopg.OperationalError as error:
        raise DatabaseDown("the scratch database", str(error)) from error
    connection.execute("SET synchronous_commit = off")
    return connection


def _phases(steps: Sequence[Step]) -> Iterator[Sequence[Group]]:
    """Groups that may run side by side; everything else is a phase of its own."""
    for kind, found in groupby(steps, lambda step: next((one for one in _INDEPENDENT if step.sql.startswith(one)), "")):
        some = list(found)
        groups = [some[start : start + _TOGETHER] for start in range(0, len(some), _TOGETHER)]
        if kind:
            yield groups
        else:
            yield from ([group] for group in groups)


def _run_group(connection: psycopg.Connection, group: Group) -> list[Step]:
    failed = _run(connection, "BEGIN;" + ";".join(step.sql for step in group) + ";COMMIT")
    return list(group) if not failed else [step for step in group if _ran(connection, step)]


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
