#!/usr/bin/env python3
"""Measure change replication beside PostgreSQL's own, in one run, on loopback.

pgbench's TPC-B writes a backlog on the source (three updates and one insert a transaction) while nobody replicates.
Then each contender catches up, one after the other, from a slot made at the same point:

    native   CREATE SUBSCRIPTION (binary, streaming off): the apply worker in C
    ours     strangler sync run --once, every table mapped one to one; with the start of the program
    mapped   the same with other names and types: casts, CASE and arithmetic on every table

Every target is compared with the source row by row (md5 over every table, through the mapping) before a figure is
printed; one that differs is an error. The figures to trust are the ratios: all ran on the same backlog, on this
machine, minutes apart.

    python3 benchmarks/cdc_bench.py --transactions 80000 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from servers import SOURCE, TARGET, USER, Postgres, two_servers, write_routes

TABLES = {
    "pgbench_accounts": ("aid", "aid, bid, abalance, filler"),
    "pgbench_tellers": ("tid", "tid, bid, tbalance, filler"),
    "pgbench_branches": ("bid", "bid, bbalance, filler"),
    "pgbench_history": ("hid", "hid, tid, bid, aid, delta, mtime, filler"),
}
# Target table to source table, key, and per column its type and the expression that fills it.
MAPPED = {
    "account": (
        "pgbench_accounts",
        "account_id",
        {
            "account_id": ("bigint", "CAST(aid AS bigint)"),
            "branch_id": ("bigint", "CAST(bid AS bigint)"),
            "balance": ("numeric(14,2)", "CAST(abalance AS numeric(14,2)) / 100"),
            "standing": ("text", "CASE WHEN abalance < 0 THEN 'overdrawn' ELSE 'good' END"),
            "note": ("text", "CAST(filler AS text)"),
        },
    ),
    "teller": (
        "pgbench_tellers",
        "teller_id",
        {
            "teller_id": ("bigint", "CAST(tid AS bigint)"),
            "branch_id": ("bigint", "CAST(bid AS bigint)"),
            "balance": ("numeric(14,2)", "CAST(tbalance AS numeric(14,2)) / 100"),
            "standing": ("text", "CASE WHEN tbalance < 0 THEN 'short' ELSE 'good' END"),
        },
    ),
    "branch": (
        "pgbench_branches",
        "branch_id",
        {
            "branch_id": ("bigint", "CAST(bid AS bigint)"),
            "balance": ("numeric(14,2)", "CAST(bbalance AS numeric(14,2)) / 100"),
            "standing": ("text", "CASE WHEN bbalance < 0 THEN 'short' ELSE 'good' END"),
        },
    ),
    "posting": (
        "pgbench_history",
        "posting_id",
        {
            "posting_id": ("bigint", "hid"),
            "teller_id": ("bigint", "CAST(tid AS bigint)"),
            "account_id": ("bigint", "CAST(aid AS bigint)"),
            "amount": ("numeric(14,2)", "CAST(delta AS numeric(14,2)) / 100"),
            "side": ("text", "CASE WHEN delta < 0 THEN 'debit' ELSE 'credit' END"),
            "booked_at": ("timestamp", "mtime"),
        },
    ),
}


def prepare(pg: Postgres, scale: int) -> None:
    pg.call(*pg.client("pgbench", SOURCE), "-i", "-s", str(scale), "-q", "bank")
    pg.sql(
        SOURCE,
        "bank",
        "alter table pgbench_history add column hid bigserial primary key",
        f"create publication native for table {', '.join(TABLES)}",
    )
    schema = pg.call(*[*pg.client("pg_dump", SOURCE), "--schema-only", "--no-publications", "bank"])
    rows = pg.call(*[*pg.client("pg_dump", SOURCE), "--data-only", "bank"])
    for database in ("native", "ours", "mapped"):
        pg.sql(TARGET, "postgres", f"create database {database}")
    pg.script(TARGET, "native", schema + rows)
    pg.script(TARGET, "ours", schema)
    pg.script(TARGET, "mapped", "".join(_create(name, key, columns) for name, (_, key, columns) in MAPPED.items()))
    pg.sql(SOURCE, "bank", "select pg_create_logical_replication_slot('native', 'pgoutput')")
    pg.sql(
        TARGET,
        "native",
        f"create subscription native connection 'host=127.0.0.1 port={SOURCE} user={USER} dbname=bank' "
        "publication native with (create_slot=false, slot_name='native', copy_data=false, "
        "enabled=false, binary=true, streaming=off)",
    )


def _create(name: str, key: str, columns: dict[str, tuple[str, str]]) -> str:
    return f"create table {name} ({', '.join(f'{one} {type_}' for one, (type_, _) in columns.items())}, primary key ({key}));"


def mappings_one_to_one() -> dict[str, str]:
    return {
        name: f"-- target: {name}\n-- key: {key}\n-- dialect: postgres\nSELECT {columns} FROM {name}\n"
        for name, (key, columns) in TABLES.items()
    }


def mappings_that_compute() -> dict[str, str]:
    return {
        name: f"-- target: {name}\n-- key: {key}\n-- dialect: postgres\nSELECT {_outputs(columns)} FROM {source}\n"
        for name, (source, key, columns) in MAPPED.items()
    }


def _outputs(columns: dict[str, tuple[str, str]]) -> str:
    return ", ".join(f"{expression} AS {name}" for name, (_, expression) in columns.items())


def backlog(pg: Postgres, transactions: int) -> None:
    flags = ["-n", "-M", "prepared", "-c", "4", "-t", str(transactions // 4)]
    pg.call(*pg.client("pgbench", SOURCE), *flags, "bank")


def native_catch_up(pg: Postgres) -> float:
    end = pg.sql(SOURCE, "bank", "select pg_current_wal_flush_lsn()")
    confirmed = f"select confirmed_flush_lsn >= '{end}' from pg_replication_slots where slot_name = 'native'"
    started = time.monotonic()
    pg.sql(TARGET, "native", "alter subscription native enable")
    while pg.sql(SOURCE, "bank", confirmed) != "t":
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
        sys.exit(f"{' '.join(command)} failed ({done.returncode}): {done.stdout[-1000:]}{done.stderr[-3000:]}")
    return time.monotonic() - started


def command_for(template: str, routes: Path, capability: str) -> list[str]:
    return [part.format(routes=routes, capability=capability) for part in template.split()]


def differing(pg: Postgres) -> list[str]:
    """What is not as the source and the mapping say, by database and table."""

    def fingerprint(port: int, database: str, rows: str, key: str) -> str:
        text = f"select count(*) || ':' || md5(string_agg(md5(r::text), '' order by {key})) from ({rows}) r"
        return pg.sql(port, database, text)

    found = []
    for table, (key, columns) in TABLES.items():
        rows = f"select {columns} from {table}"
        truth = fingerprint(SOURCE, "bank", rows, key)
        found += [f"{one}.{table}" for one in ("native", "ours") if fingerprint(TARGET, one, rows, key) != truth]
    for table, (source, key, columns) in MAPPED.items():
        outputs = ", ".join(f"({expression})::{type_} as {name}" for name, (type_, expression) in columns.items())
        truth = fingerprint(SOURCE, "bank", f"select {outputs} from {source}", key)
        if fingerprint(TARGET, "mapped", f"select {', '.join(columns)} from {table}", key) != truth:
            found.append(f"mapped.{table}")
    return found


def contend(
    pg: Postgres, contenders: dict[str, Callable[[], float]], transactions: int, rounds: int
) -> dict[str, float]:
    """Row changes a second of each, in the median of the rounds; every other round in the opposite order."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        backlog(pg, transactions)
        for name in sorted(contenders, reverse=bool(turn % 2)):
            seconds[name].append(contenders[name]())
    return {name: 4 * transactions / statistics.median(times) for name, times in seconds.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--ours",
        default="strangler sync run {capability} --routes {routes} --once",
        help="command line that catches up and ends",
    )
    parser.add_argument("--transactions", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scale", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with two_servers("cdc-bench") as pg:
        prepare(pg, args.scale)
        sets = {"ours": mappings_one_to_one(), "mapped": mappings_that_compute()}
        commands = {name: command_for(args.ours, write_routes(pg, name, maps), name) for name, maps in sets.items()}
        for command in commands.values():
            our_catch_up(command)  # makes the slot and takes the snapshot; not timed
        contenders: dict[str, Callable[[], float]] = {"native": lambda: native_catch_up(pg)}
        contenders |= {name: lambda command=command: our_catch_up(command) for name, command in commands.items()}
        rates = contend(pg, contenders, args.transactions, args.rounds)
        if wrong := differing(pg):
            print(f"not equal to the source: {', '.join(wrong)}")
            return 1
    ratios = {name: rates[name] / rates["native"] for name in sets}
    if args.json:
        print(json.dumps({"changes": 4 * args.transactions, "rows_per_second": rates, "ratio": ratios}))
        return 0
    print(f"{4 * args.transactions} changes, {args.rounds} rounds, medians; every row checked against the source")
    for name, figure in rates.items():
        print(f"{name:8}{figure:12.0f} row changes/s")
    for name, ratio in ratios.items():
        print(f"{name} / native: {ratio:.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
