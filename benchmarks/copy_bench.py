#!/usr/bin/env python3
"""Measure the backfill beside psql's COPY, then verification, repair's findings, and memory under one huge transaction.

backfill   narrow rows through `strangler sync backfill`, the start of the program included, beside `psql COPY TO STDOUT | psql COPY FROM STDIN`
           between the same two servers
verify     rows a second over all of them, alone and at one commit while the streams run and somebody writes; then seven
           planted differences, of which all must be found
memory     of the process that streams, while one transaction updates --large rows

python3 benchmarks/copy_bench.py --rows 10000000 --large 2000000
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
from servers import SOURCE, TARGET, Postgres, two_servers, write_routes

TABLE = """create table entry (id bigint primary key, account int not null, amount numeric(14,2) not null,
 currency char(3) not null, booked_at timestamptz not null, note text)"""
ROWS = """insert into entry select n, n % 100000, (n % 99991) / 100.0, (array['EUR','CHF','USD'])[n % 3 + 1],
 '2026-01-01 00:00:00+00'::timestamptz + n * interval '1 second', case when n % 4 = 0 then null else 'note ' || n end
 from generate_series({first}, {last}) n"""
MAPPING = (
    "-- target: entry\n-- key: id\n-- dialect: postgres\n"
    "SELECT id, account, amount, currency, booked_at, note FROM entry\n"
)
PLANTED = {
    "a changed cent": "update entry set amount = amount + 0.01 where id = 11",
    "a missing row": "delete from entry where id = {half}",
    "an extra row": "insert into entry select {rows} + 7, account, amount, currency, booked_at, note from entry where id = 5",
    "NULL versus empty": "update entry set note = '' where id = 4000",
    "a swapped pair": "update entry a set account = b.account from entry b where (a.id, b.id) in ((21, 22), (22, 21))",
    "a time zone shift": "update entry set booked_at = booked_at + interval '1 hour' where id = {rows}",
    "a trailing blank": "update entry set note = note || ' ' where id = 4001",
}
KEYS_OF = {"a swapped pair": 2}
ROWS_AT_ONCE = 1_000_000
STARTED = time.monotonic()


def plain_copy(pg: Postgres) -> float:
    pg.sql(TARGET, "postgres", "create database plain")
    pg.sql(TARGET, "plain", TABLE)
    psql = [*map(str, pg.drop), *map(str, pg.client("psql", SOURCE)), "-XAtq", "-d", "bank", "-c"]
    into = [*map(str, pg.drop), *map(str, pg.client("psql", TARGET)), "-XAtq", "-d", "plain", "-c"]
    started = time.monotonic()
    out = subprocess.Popen([*psql, "copy (select * from entry) to stdout"], stdout=subprocess.PIPE)
    subprocess.run([*into, "copy entry from stdin"], stdin=out.stdout, check=True)
    if out.wait():
        sys.exit("COPY TO STDOUT failed")
    return time.monotonic() - started


def strangler(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(["strangler", *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"strangler {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-3000:]}")
    return done.stdout


def backfill(routes: Path) -> float:
    started = time.monotonic()
    strangler("sync", "backfill", "ours", "--routes", str(routes))
    return time.monotonic() - started


def verification(routes: Path) -> dict[str, object]:
    text = strangler(
        "sync", "verify", "ours", "--direction", "forward", "--routes", str(routes), "--json", codes=(0, 6)
    )
    return json.loads(text)["results"][0]


def beside_the_stream(pg: Postgres, routes: Path) -> dict[str, object]:
    """The same at one commit, while the streams run and rows are written."""
    process = subprocess.Popen(["strangler", "sync", "run", "ours", "--routes", str(routes)], stderr=subprocess.DEVNULL)
    try:
        while pg.sql(SOURCE, "bank", "select active from pg_replication_slots where slot_name ~ 'forward'") != "t":
            time.sleep(0.1)
        stop = threading.Event()
        writer = threading.Thread(target=write, args=(pg, stop))
        writer.start()
        try:
            return verification(routes)
        finally:
            stop.set()
            writer.join()
    finally:
        process.terminate()
        process.wait()
        strangler("sync", "run", "ours", "--routes", str(routes), "--once")  # what was written last


def write(pg: Postgres, stop: threading.Event) -> None:
    """Somebody adds a cent here and takes one there, some tens of transactions a second."""
    number = 0
    while not stop.wait(0.01):
        number += 1
        pg.sql(SOURCE, "bank", f"update entry set amount = amount + 0.01 where id = {number % 1000 + 100}")


def planted(pg: Postgres, routes: Path, rows: int) -> tuple[int, int]:
    """Damage the target in seven ways; how many differing keys there are, and how many were found."""
    values = {"rows": rows, "half": rows // 2}
    pg.sql(TARGET, "ours", "set session_replication_role = replica", *(s.format(**values) for s in PLANTED.values()))
    found = verification(routes)["tables"][0]  # type: ignore[index]
    return sum(KEYS_OF.get(name, 1) for name in PLANTED), found["differences"]


def memory_under(pg: Postgres, routes: Path, rows: int) -> tuple[float, float]:
    """Largest resident memory in MiB while a transaction of so many rows passes, and the seconds it took."""
    pg.sql(SOURCE, "bank", f"update entry set amount = amount + 1 where id <= {rows}")
    started = time.monotonic()
    process = psutil.Popen(
        ["strangler", "sync", "run", "ours", "--routes", str(routes), "--once"], stderr=subprocess.DEVNULL
    )
    peaks = [0]

    def watch() -> None:
        while process.is_running():
            try:
                peaks.append(process.memory_info().rss)
            except psutil.Error:
                return
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    watcher.join()
    if code:
        sys.exit(f"the stream ended with {code}")
    return max(peaks) / (1 << 20), time.monotonic() - started


def say(text: str) -> None:
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=500_000, help="rows of the one large transaction; 0: none")
    args = parser.parse_args()
    with two_servers("copy-bench") as pg:
        pg.sql(SOURCE, "bank", TABLE)
        for first in range(1, args.rows + 1, ROWS_AT_ONCE):
            last = min(first + ROWS_AT_ONCE - 1, args.rows)
            pg.sql(SOURCE, "bank", ROWS.format(first=first, last=last))
            say(f"{last:,} rows made")
        pg.sql(SOURCE, "bank", "vacuum analyze entry", "checkpoint")
        pg.sql(TARGET, "postgres", "create database ours")
        pg.sql(TARGET, "ours", TABLE)
        routes = write_routes(pg, "ours", {"entry": MAPPING})
        theirs = plain_copy(pg)
        say(f"psql has copied them: {args.rows / theirs:,.0f} rows/s in {theirs:.1f} s")
        pg.sql(TARGET, "postgres", "drop database plain", "checkpoint")
        ours = backfill(routes)
        say(f"sync backfill has copied them: {args.rows / ours:,.0f} rows/s in {ours:.1f} s")
        say(f"ours / psql: {theirs / ours:.2f} x")
        pg.sql(TARGET, "ours", "vacuum analyze entry")
        result = verification(routes)
        say(f"verify: {args.rows / float(str(result['seconds'])):,.0f} rows/s, equal: {result['equal']}")
        beside = beside_the_stream(pg, routes)
        place = beside["tables"][0]["position"]  # type: ignore[index]
        say(f"verify beside the stream, at {place}: {args.rows / float(str(beside['seconds'])):,.0f} rows/s")
        if args.large:
            peak, seconds = memory_under(pg, routes, args.large)
            say(f"one transaction of {args.large:,} rows: {peak:.0f} MiB at most, {args.large / seconds:,.0f} rows/s")
        wanted, found = planted(pg, routes, args.rows)
        say(f"planted differences: {len(PLANTED)} on {wanted} keys, found {found} keys")
    return 0 if result["equal"] and beside["equal"] and place and wanted == found else 1


if __name__ == "__main__":
    sys.exit(main())
