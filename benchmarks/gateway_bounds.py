#!/usr/bin/env python3
"""Measure what the gateway must not spend: memory by keys, memory by the size of a body, processor time by workers.

    keys     resident memory of a worker after 1,000 requests and after a million over 750,000 distinct canary keys
    bodies   the highest resident memory while a body of 1 GiB passes, in each direction
    workers  requests a second that two workers could serve, as a multiple of one; by processor time of the busiest
             worker, so that the figure does not depend on how many processors the load generator leaves free

    python3 gateway_bounds.py keys|bodies|workers [--json]

Needs: wrk and nginx (keys, workers), Linux (/proc), and `strangler` beside this interpreter or on PATH. Exit status 0
when every bound was kept.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from proxies import BODY, UPSTREAM_CONF, sibling, write
from proxy_bench import end, session_pids, wait_until_serving

GATEWAY, UPSTREAM = 18180, 19101
KEYS, REQUESTS, FIRST_REQUESTS = 750_000, 1_000_000, 1_000
BODY_BYTES, PIECE = 1 << 30, bytes(1 << 18)
GROWTH_MAX, WORKER_MIB_MAX, BODY_MIB_MAX, SCALING_MIN = 1.1, 60.0, 16.0, 1.7

ROUTES = """
version: 1
upstreams:
  legacy: {{url: "http://127.0.0.1:{upstream}", timeout: 60s}}
  modern: {{url: "http://127.0.0.1:{upstream}", timeout: 60s}}
capabilities:
  accounts: {{legacy: legacy, modern: modern, stage: canary, canary: {{percent: 50, key: "header:X-Customer-Id"}}}}
routes:
  - {{match: "* /accounts/{{id}}", capability: accounts}}
"""
WRK_SCRIPT = """
local n = {first}
request = function()
  n = n + 1
  return wrk.format("{method}", "/accounts/1", {{["X-Customer-Id"] = "customer-" .. ((n * 7919) % {keys})}})
end
"""


@contextmanager
def gateway(directory: Path, workers: int = 1) -> Iterator[int]:
    """A gateway as users start it; yields the process id of its supervisor."""
    exe = sibling("strangler") or sys.exit("strangler is not installed beside this interpreter nor on PATH")
    routes = write(directory, "routes.yaml", ROUTES.format(upstream=UPSTREAM))
    command = [exe, "gateway", "--routes", routes, "--listen", f"127.0.0.1:{GATEWAY}", "--admin",
               f"127.0.0.1:{GATEWAY + 1}", "--workers", str(workers)]  # fmt: skip
    with (directory / "gateway.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_serving(f"http://127.0.0.1:{GATEWAY + 1}/healthz", process)
        yield process.pid
    finally:
        end(process)


@contextmanager
def nginx(directory: Path) -> Iterator[None]:
    """The upstream: canned JSON."""
    conf = UPSTREAM_CONF.format(dir=directory, up=UPSTREAM, cand=UPSTREAM + 1, body=BODY, more="")
    command = [sibling("nginx") or "nginx", "-c", write(directory, "up.conf", conf), "-g", "daemon off;"]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        wait_until_serving(f"http://127.0.0.1:{UPSTREAM}/", process)
        yield
    finally:
        end(process)


def workers_of(leader: int) -> list[int]:
    """The processes that carry traffic."""
    return [pid for pid in session_pids(leader) if b"gateway.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def resident_mib(pid: int) -> float:
    """Resident memory now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    """Processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(directory: Path, seconds: int, *, connections: int = 32, first: int = 0, method: str = "GET") -> int:
    """Requests that wrk had answered, each with the next key."""
    script = write(directory, "keys.lua", WRK_SCRIPT.format(first=first, keys=KEYS, method=method))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{GATEWAY}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(f"not every request was answered well:\n{out}")
    return int(out.split(" requests in")[0].split()[-1])


def measure_keys(directory: Path) -> dict[str, float]:
    """Memory by the number of distinct keys; one in ten requests is a write, which read-your-writes must remember."""
    with nginx(directory), gateway(directory) as leader:
        (worker,) = workers_of(leader)
        done = _ask(FIRST_REQUESTS)
        before = resident_mib(worker)
        while done < REQUESTS:
            done += load(directory, 9, first=done)
            done += load(directory, 1, first=done, method="POST")
        after = resident_mib(worker)
    return {"requests": done, "mib_before": before, "mib_after": after, "growth": after / before}


def _ask(count: int) -> int:
    """That many requests, each with a key of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", GATEWAY, timeout=10)
    for number in range(count):
        connection.request("GET", "/accounts/1", headers={"X-Customer-Id": f"customer-{number}"})
        connection.getresponse().read()
    connection.close()
    return count


def measure_bodies(directory: Path) -> dict[str, float]:
    """Memory while a large body passes, less what it was before."""
    found: dict[str, float] = {}
    with socket.create_server(("127.0.0.1", UPSTREAM)) as listener, gateway(directory) as leader:
        (worker,) = workers_of(leader)
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        for name, client in (("request", _send), ("answer", _receive)):
            before = resident_mib(worker)
            peak, over = [before], threading.Event()

            def watch(peak: list[float] = peak, over: threading.Event = over) -> None:
                while not over.wait(0.02):
                    peak[0] = max(peak[0], resident_mib(worker))

            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                client()
            finally:
                over.set()
                watcher.join()
            found |= {f"{name}_mib_before": before, f"{name}_mib_more": peak[0] - before}
    return found


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock:
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(65536)
            if head.startswith(b"PUT"):
                left = BODY_BYTES - len(head.partition(b"\r\n\r\n")[2])
                while left:
                    left -= len(sock.recv(1 << 18))
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            else:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES)
                for _ in range(BODY_BYTES // len(PIECE)):
                    sock.sendall(PIECE)


def _send() -> None:
    with socket.create_connection(("127.0.0.1", GATEWAY)) as sock:
        sock.sendall(b"PUT /accounts/1 HTTP/1.1\r\nHost: bank\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES)
        for _ in range(BODY_BYTES // len(PIECE)):
            sock.sendall(PIECE)
        if not sock.recv(65536).startswith(b"HTTP/1.1 200"):
            raise RuntimeError("the request with the large body was not answered well")


def _receive() -> None:
    with socket.create_connection(("127.0.0.1", GATEWAY)) as sock:
        sock.sendall(b"GET /accounts/1 HTTP/1.1\r\nHost: bank\r\nConnection: close\r\n\r\n")
        received = 0
        while data := sock.recv(1 << 18):
            received += len(data)
        if received < BODY_BYTES:
            raise RuntimeError(f"of the large answer {received} bytes came")


def measure_workers(directory: Path) -> dict[str, float]:
    """Capacity by the processor time of the busiest worker."""
    rates: dict[int, float] = {}
    for count in (1, 2):
        with nginx(directory), gateway(directory, count) as leader:
            load(directory, 1, connections=256)
            pids = workers_of(leader)
            before = [cpu_seconds(pid) for pid in pids]
            requests = load(directory, 6, connections=256)
            spent = [cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True)]
            rates[count] = requests / max(spent)
    return {"one_rps": rates[1], "two_rps": rates[2], "scaling": rates[2] / rates[1]}


Bound = tuple[str, Callable[[float], bool]]
MEASURES: dict[str, tuple[Callable[[Path], dict[str, float]], tuple[Bound, ...]]] = {
    "keys": (
        measure_keys,
        (("growth", lambda value: value <= GROWTH_MAX), ("mib_after", lambda value: value <= WORKER_MIB_MAX)),
    ),
    "bodies": (
        measure_bodies,
        tuple((f"{name}_mib_more", lambda value: value <= BODY_MIB_MAX) for name in ("request", "answer")),
    ),
    "workers": (measure_workers, (("scaling", lambda value: value >= SCALING_MIN),)),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=MEASURES)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    args = parser.parse_args()
    measure, bounds = MEASURES[args.what]
    with tempfile.TemporaryDirectory(prefix="gateway-bounds-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        figures = measure(directory)
    missed = [name for name, is_kept in bounds if not is_kept(figures[name])]
    if args.json:
        print(json.dumps({"what": args.what, "figures": figures, "missed": missed}))
    else:
        for name, value in figures.items():
            print(f"{name:20}{value:12,.2f}{'  beyond its bound' if name in missed else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
