"""A throw-away MariaDB of Debian's package mariadb-server-core: its own folder, a free port of loopback, ended by its pid."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pymysql
import pytest

from tests.support.tls import Authority
from tests.support.waiting import wait_until

SERVER, INSTALL = "mariadbd", "mariadb-install-db"
NOBODY = 65534
SMALL = ("--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M", "--innodb-flush-method=nosync")


@dataclass(frozen=True)
class MariaDb:
    """A running server; root has no password and comes by its socket only."""

    socket: str
    port: int
    ca: Path  # of its certificate

    def connect(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(unix_socket=self.socket, user="root", autocommit=True)

    def run(self, *statements: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def mariadb(port: int) -> Iterator[MariaDb]:
    """The server, as a user who is not root; the test is skipped where the package is not installed."""
    program = shutil.which(SERVER, path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server-core")
    folder = Path(mkdtemp(prefix="strangler-mariadb-"))
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    authority = Authority(folder, "mariadb")
    certificate, key = authority.issue("server", "127.0.0.1")
    for path in (folder, certificate, key):
        os.chown(path, user, -1)
    data, socket = folder / "data", str(folder / "socket")
    making = [INSTALL, f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db", *SMALL[:2]]
    try:
        subprocess.run(making, user=user, cwd=folder, check=True, capture_output=True, timeout=60)
        serving = [program, "--no-defaults", f"--datadir={data}", f"--socket={socket}", f"--port={port}", *SMALL]
        serving += [f"--ssl-ca={authority.path}", f"--ssl-cert={certificate}", f"--ssl-key={key}"]
        serving += ["--bind-address=127.0.0.1", f"--pid-file={folder}/pid", f"--log-error={folder}/log"]
        process = subprocess.Popen(serving, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: process.poll() is not None or Path(socket).exists(), "MariaDB accepts connections", 30)
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            yield MariaDb(socket, port, authority.path)
        finally:
            process.kill()
            process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
