"""How each proxy of a benchmark is started, the upstream that all of them have, and where each listens."""

from __future__ import annotations

import json
import shutil
import sys
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
