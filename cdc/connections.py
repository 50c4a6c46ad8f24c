"""How streams connect: by their name, and with an end to every wait for a server that has vanished.

A machine that is gone is noticed by TCP, within TCP_SECONDS_MAX. Something on the way that swallows bytes may answer
TCP itself; so a connection on which nothing has come for SILENT_SECONDS, while it waits, asks after its session through
a second connection. A session that is at work is waited for, hours if need be: a lock, a large DELETE. One that waits
for us in its turn, is gone, or cannot be asked after is given up, as a connection that broke.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.rows import TupleRow

APPLICATION = "strangler-sync"
CONNECT_SECONDS_MAX = 5
SILENT_SECONDS = 10.0
_IDLE, _EACH, _COUNT = 10, 5, 3  # a probe after ten silent seconds, then each five: gone after three without an answer
TCP_SECONDS_MAX = _IDLE + _EACH * _COUNT
_TCP = {
    "keepalives": 1,
    "keepalives_idle": _IDLE,
    "keepalives_interval": _EACH,
    "keepalives_count": _COUNT,
    "tcp_user_timeout": 1000 * _EACH * _COUNT,  # the same for bytes that we have sent and that nobody acknowledges
}
# The same in the server, so that what a vanished process holds (its lease, its origin) is free again after that time.
SERVER_TCP = (
    f"SET tcp_keepalives_idle = {_IDLE}; SET tcp_keepalives_interval = {_EACH}; SET tcp_keepalives_count = {_COUNT}; "
    f"SET tcp_user_timeout = {1000 * _EACH * _COUNT}"
)
# A session that does not show its state (track_activities) is taken for one at work unless it waits for its client.
_IS_AT_WORK = """SELECT state <> ALL ('{idle,idle in transaction,idle in transaction (aborted)}')
    AND wait_event_type IS DISTINCT FROM 'Client' FROM pg_stat_activity WHERE pid = %s AND application_name = %s"""
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND application_name = %s"

R = TypeVar("R")


class ServerSilent(psycopg.OperationalError):
    """Nothing came from a server that is not at work for us, or that does not say so."""


class Connection(psycopg.Connection[TupleRow]):
    """A connection on which no wait is without end."""

    url = ""
    application = ""
    pid = 0  # of the server's session, as the server knows it

    def wait(self, gen: Generator[Any, Any, R], interval: float = 0.1, timeout: float | None = None) -> R:
        """As psycopg's, which everything that waits for the server goes through. Raises ServerSilent."""
        return super().wait(_heard(gen, self.when_silent), interval, timeout)

    def when_silent(self) -> None:
        """Go on waiting, or give up and raise ServerSilent."""
        try:
            _ask_after(self)
        except ServerSilent:
            self.close()
            raise


class _Asking(Connection):
    """A connection that asks after another one: its own silence is an answer."""

    def when_silent(self) -> None:
        self.close()
        raise ServerSilent("the server accepts connections and says nothing")


def connect(url: str, application: str = APPLICATION, **more: str) -> Connection:
    """Connect in autocommit, with `more` of libpq's options; those of TCP that the address has itself are left."""
    return _opened(url, application, **more)


def connect_for_replication(url: str, application: str = APPLICATION) -> Connection:
    """A connection to a walsender; it knows the simple protocol only."""
    return _opened(url, application, replication="database")


def end(conn: psycopg.Connection[TupleRow], pid: int, application: str = APPLICATION) -> None:
    """End a session of ours that we have lost and whose server may not know it."""
    conn.execute(_END, (pid, application))


def _ask_after(lost: Connection) -> None:
    """Return if its session is at work; else end that and raise ServerSilent."""
    try:
        with _Asking.connect(_options(lost.url, lost.application), autocommit=True) as other:
            row = other.execute(_IS_AT_WORK, (lost.pid, lost.application)).fetchone()
            if row is not None and row[0]:
                return
            end(other, lost.pid, lost.application)
    except ServerSilent:
        raise
    except psycopg.OperationalError as error:
        raise ServerSilent(f"the server says nothing and cannot be asked: {type(error).__name__}") from error
    raise ServerSilent("the server's session waits for us, or is gone: something on the way swallows what is sent")


def _options(url: str, application: str, **more: str) -> str:
    given = conninfo.conninfo_to_dict(url)
    tcp = {name: value for name, value in _TCP.items() if name not in given}
    return conninfo.make_conninfo(url, **tcp, application_name=application, connect_timeout=CONNECT_SECONDS_MAX, **more)


def _opened(url: str, application: str, **more: str) -> Connection:
    conn = Connection.connect(_options(url, application, **more), autocommit=True, prepare_threshold=None)
    try:
        conn.url, conn.application = url, application
        row = conn.execute("SELECT pg_backend_pid()").fetchone()  # a pooler between us and the server has its own
        conn.pid = int(row[0]) if row else 0
    except BaseException:
        conn.close()
        raise
    return conn


def _heard(gen: Generator[Any, Any, R], when_silent: Callable[[], None]) -> Generator[Any, Any, R]:
    """The same generator of psycopg's; after every SILENT_SECONDS without a sign of the socket, `when_silent`."""
    heard = monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                heard = monotonic()
            elif monotonic() - heard > SILENT_SECONDS:
                when_silent()
                heard = monotonic()
            wanted = gen.send(ready)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]  # what the generator returns
