#!/usr/bin/env python3
"""Measure the delay from a write on the source to its being visible on the target, ours beside PostgreSQL's own.

Four clients write small transactions (an insert and an update) at a steady rate, each commit waiting for the disk: a log
that is not flushed is not sent. Both contenders replicate the same stream at the same time, each into a database of its
own; one observer asks each target every two milliseconds which rows it can see. A row's delay runs from its statement on the source to the observer's sight of it, so it holds the
source's commit and up to two milliseconds of looking.

    python3 benchmarks/delay_bench.py --rate 1000 --seconds 60
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
from servers import SOURCE, TARGET, USER, Postgres, two_servers, write_routes

TABLES = """
create table tick (id bigserial primary key, at timestamptz not null default clock_timestamp(), account int not null);
create table account (id int primary key, balance bigint not null);
insert into account select n, 0 from generate_series(1, 10000) n;
"""
TRANSACTION = """
\\set account random(1, 10000)
begin;
update account set balance = balance + 1 where id = :account;
insert into tick (account) values (:account);
end;
"""
MAPPINGS = {
    "tick": "-- target: tick\n-- key: id\n-- dialect: postgres\nSELECT id, at, account FROM tick\n",
    "account": "-- target: account\n-- key: id\n-- dialect: postgres\nSELECT id, balance FROM account\n",
}
LOOK_SECONDS = 0.002
WARM_UP_SECONDS = 3.0


class Observer(threading.Thread):
    """Sees when rows become visible in one target."""

    def __init__(self, database: str) -> None:
        super().__init__(daemon=True)
        self.database, self.delays, self.ends = database, list[float](), threading.Event()

    def run(self) -> None:
        whole, beyond = 0, set[int]()  # everything up to `whole` was seen, and these: clients commit in any order
        with psycopg.connect(host="127.0.0.1", port=TARGET, user=USER, dbname=self.database, autocommit=True) as conn:
            while not self.ends.wait(LOOK_SECONDS):
                rows = conn.execute(
                    "select id, extract(epoch from clock_timestamp() - at)::float8 from tick where id > %s order by id",
                    (whole,),
                ).fetchall()
                self.delays += [seconds for number, seconds in rows if number not in beyond]
                beyond.update(number for number, _ in rows)
                while whole + 1 in beyond:
                    whole += 1
                    beyond.remove(whole)


def prepare(pg: Postgres) -> Path:
    pg.script(SOURCE, "bank", TABLES)
    pg.sql(SOURCE, "bank", "alter database bank set synchronous_commit = on")
    schema = pg.call(*pg.client("pg_dump", SOURCE), "--schema-only", "bank")
    for database in ("native", "ours"):
        pg.sql(TARGET, "postgres", f"create database {database}")
        pg.script(TARGET, database, schema)
    pg.sql(SOURCE, "bank", "create publication native for table tick, account")
    pg.sql(
        TARGET,
        "native",
        f"create subscription native connection 'host=127.0.0.1 port={SOURCE} user={USER} dbname=bank' "
        "publication native with (binary=true)",
    )
    return write_routes(pg, "ours", MAPPINGS)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def load(pg: Postgres, rate: int, seconds: float) -> None:
    script = pg.directory / "transaction.sql"
    script.write_text(TRANSACTION)
    flags = ["-n", "-M", "prepared", "-c", "4", "-R", str(rate), "-T", str(int(seconds)), "-f", script]
    pg.call(*pg.client("pgbench", SOURCE), *flags, "bank")


def await_all(pg: Postgres, observers: list[Observer]) -> int:
    """Wait until each has seen every row; how many there are."""
    wanted = int(pg.sql(SOURCE, "bank", "select count(*) from tick"))
    deadline = time.monotonic() + 60
    while any(len(one.delays) < wanted for one in observers) and time.monotonic() < deadline:
        time.sleep(0.1)
    return wanted


def measure(pg: Postgres, routes: Path, rate: int, seconds: float) -> dict[str, list[float]]:
    streams = subprocess.Popen(
        ["strangler", "sync", "run", "ours", "--routes", str(routes)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    observers = [Observer(database) for database in ("native", "ours")]
    try:
        for observer in observers:
            observer.start()
        load(pg, rate, WARM_UP_SECONDS)
        await_all(pg, observers)  # both stream
        warm = {one.database: len(one.delays) for one in observers}
        load(pg, rate, seconds)
        wanted = await_all(pg, observers)
    finally:
        for observer in observers:
            observer.ends.set()
        streams.terminate()
        streams.wait()
    if short := [one.database for one in observers if len(one.delays) < wanted]:
        sys.exit(f"rows are missing in {', '.join(short)}")
    return {one.database: one.delays[warm[one.database] :] for one in observers}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000, help="transactions a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with two_servers("delay-bench") as pg:
        delays = measure(pg, prepare(pg), args.rate, args.seconds)
    table = {
        name: {share: percentile(values, share / 100) * 1000 for share in (50, 90, 99, 99.9)}
        for name, values in delays.items()
    }
    if args.json:
        print(json.dumps({"rate": args.rate, "transactions": len(delays["ours"]), "delay_ms": table}))
        return 0
    print(f"{len(delays['ours'])} transactions, {args.rate} a second; milliseconds from the write to its sight")
    for name, row in table.items():
        print(f"{name:8}" + "".join(f"  p{share:g} {ms:8.1f}" for share, ms in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
