"""The replication connection: frames in, positions out.

It speaks START_REPLICATION through psycopg's pgconn (PostgreSQL's page protocol-replication). Nothing is confirmed here
that the caller did not name: the server's own position in a keepalive is only an answer to "how far has it sent".
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import sys
import termios
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

import psycopg
from psycopg import sql

from cdc.connections import connect_for_replication
from cdc.crash_points import reached
from cdc.streaming import pgoutput

SILENCE_SECONDS_MAX = 30.0  # a server that answers nothing for so long is gone
ASK_SECONDS = 10.0  # after this silence we ask for an answer; also the longest time between two status updates
SEND_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX = 2.0
GATHER_BYTES = 128 << 10  # far behind, the kernel wakes us for so much
# libpq has room for 16 KiB and doubles it only if it is asked for more before those are read: three times, and what has
# gathered comes at once and not in eighths.
GROWTH = 3
GATHER_SECONDS_MAX = 0.02  # and we look by ourselves after so long, because the end of a backlog is less
# How the server writes values where they travel as text: the same, whatever the role's own settings are.
TEXT_SETTINGS = (
    "SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 3; "
    "SET bytea_output = 'hex'; SET lc_monetary = 'C'"
)
_ENDED = -1


class StreamBroken(psycopg.OperationalError):
    """The server ended the stream or has fallen silent."""


class ReplicationStream:
    """One walsender's output."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open()

    def _open(self) -> None:
        self._conn = connect_for_replication(self._url)
        self._pgconn = self._conn.pgconn
        self._poll = select.poll()
        self._system: tuple[str, int] | None = None
        self._is_text = False
        self._growth = GROWTH
        self._received = self._durable = 0
        self._heard = self._told = monotonic()
        self._is_streaming = self._is_gathering = False

    @property
    def pid(self) -> int:
        """The walsender, as the server knows it."""
        return self._conn.pid

    @property
    def read(self) -> Callable[[int], tuple[int, memoryview]]:
        """`read(1)` gives (size, payload), or size 0 where nothing is here yet, or -1 at the end of the stream."""
        return self._pgconn.get_copy_data

    def identify(self) -> tuple[str, int]:
        """The server's system identifier and timeline; it says them only before the stream begins."""
        self._system = self._system or identify(self._conn)
        return self._system

    def start(self, slot: str, publication: str, position: int, *, is_text: bool = False) -> None:
        """Begin to stream committed transactions. Raises ObjectInUse while another connection reads the slot.

        A stream that has begun goes on from where it is, if its values travel in that form; else it begins anew.
        """
        if self._is_streaming and self._is_text == is_text:
            return
        if self._is_streaming:
            self.close()
            self._open()
        self._is_text = is_text
        if is_text:
            self._conn.execute(TEXT_SETTINGS)
        names = sql.Identifier(publication).as_string(self._conn)
        command = sql.SQL(
            "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names {}, binary {}, messages 'true')"
        ).format(
            sql.Identifier(slot),
            sql.SQL(pgoutput.format_lsn(position)),
            sql.Literal(names),
            sql.Literal("false" if is_text else "true"),
        )
        self._conn.execute(command)
        self._pgconn.nonblocking = 1
        self._received = self._durable = position
        self._poll.register(self._pgconn.socket, select.POLLIN)
        self._is_streaming = True

    def watch(self, descriptor: int) -> None:
        """Let `wait` also return when this descriptor can be read."""
        self._poll.register(descriptor, select.POLLIN)

    def gather(self, is_wanted: bool) -> None:
        """Whether `wait` is to wake for every message, or only for many together."""
        if is_wanted != self._is_gathering:
            self._is_gathering = is_wanted
            with socket.socket(fileno=os.dup(self._pgconn.socket)) as same:
                same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, GATHER_BYTES if is_wanted else 1)

    def wait(self, seconds: float) -> bool:
        """Wait for data or a watched descriptor; true if data came. Raises StreamBroken after a long silence."""
        ready = self._poll.poll(1000 * (min(seconds, GATHER_SECONDS_MAX) if self._is_gathering else seconds))
        if not ready and self._is_gathering and seconds > 0:
            self.gather(False)
            ready = self._poll.poll(0)
        if any(descriptor == self._pgconn.socket for descriptor, _ in ready):
            self._pgconn.consume_input()
            while self._is_gathering and self._growth:
                self._growth -= 1
                self._pgconn.consume_input()
            self._heard = monotonic()
            return True
        if monotonic() - self._heard > SILENCE_SECONDS_MAX:
            raise StreamBroken("the server has sent nothing for too long")
        return False

    def take_in(self, seconds: float) -> int:
        """Wait for data and keep it for those who read later; how many bytes came."""
        if not self._poll.poll(1000 * seconds):
            return 0
        waiting = bytearray(4)
        fcntl.ioctl(self._pgconn.socket, termios.FIONREAD, waiting)
        self._pgconn.consume_input()
        self._heard = monotonic()
        return int.from_bytes(waiting, sys.byteorder)

    def received(self, position: int) -> None:
        """Note how far the server has sent."""
        self._received = max(self._received, position)

    def resume(self) -> None:
        """We did not listen for a while; the silence until now was ours."""
        self._heard = monotonic()

    def tell(self, durable: int, *, now: bool = False) -> None:
        """Confirm what is durable in the target, if that is news, if it is time, or `now`."""
        quiet = monotonic() - self._told
        if not now and quiet < ASK_SECONDS and durable <= self._durable:
            return
        self._durable = max(self._durable, durable)
        asks = monotonic() - self._heard > ASK_SECONDS
        update = pgoutput.status(max(self._received, self._durable), self._durable, datetime.now(UTC), wants_reply=asks)
        self._pgconn.put_copy_data(update)
        self._flush()
        self._told = monotonic()
        reached("confirm.told")

    def close(self) -> None:
        """End the stream in order, so that the slot is free when this returns, and close the connection."""
        try:
            if self._is_streaming and self._pgconn.status == psycopg.pq.ConnStatus.OK:
                self.gather(False)
                self._pgconn.put_copy_end()
                self._flush()
                self._drain(monotonic() + CLOSE_SECONDS_MAX)
        except psycopg.Error:
            pass  # the connection is gone, and with it the stream
        finally:
            self._conn.close()

    def _drain(self, deadline: float) -> None:
        """Read past what the server had sent already, up to its own end of the stream.

        A result is only taken when it is here: libpq would wait for it with all threads of the process standing still.
        """
        while (count := self._pgconn.get_copy_data(1)[0]) != _ENDED:
            if count == 0 and not self._has_more(deadline):
                return
        while self._result(deadline) is not None:
            pass

    def _result(self, deadline: float) -> psycopg.pq.abc.PGresult | None:
        while self._pgconn.is_busy():
            if not self._has_more(deadline):
                return None
        return self._pgconn.get_result()

    def _has_more(self, deadline: float) -> bool:
        if not select.select([self._pgconn.socket], [], [], max(0.0, deadline - monotonic()))[0]:
            return False
        self._pgconn.consume_input()
        return True

    def end(self) -> StreamBroken:
        """Why the server ended the stream."""
        result = self._result(monotonic() + CLOSE_SECONDS_MAX)
        reason = result.get_error_message() if result is not None else ""
        return StreamBroken(reason.strip() or "the server ended the stream")

    def _flush(self) -> None:
        deadline = monotonic() + SEND_SECONDS_MAX
        while self._pgconn.flush():
            if not select.select([], [self._pgconn.socket], [], max(0.0, deadline - monotonic()))[1]:
                raise StreamBroken("the server takes nothing any more")


def identify(conn: psycopg.Connection) -> tuple[str, int]:
    """System identifier and timeline, asked through a replication connection."""
    row = conn.execute("IDENTIFY_SYSTEM").fetchone()
    if row is None:
        raise StreamBroken("the server does not identify itself")
    return str(row[0]), int(row[1])
