"""Reads routes.yaml: YAML, the environment, types and references; every problem in one report."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from config.errors import Problem, RoutesInvalid
from config.fields import Model
from config.model import GatewaySettings, Routes, Upstream
from config.names import name_problems
from config.references import reference_problems

Served = TypeVar("Served", GatewaySettings, Upstream)
FILE_BYTES_MAX = 16 << 20
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def digest_of(raw: bytes) -> str:
    """The digest by which every process names the version of routes.yaml that it has: sha256, hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def read_routes(path: Path, environ: Mapping[str, str] = os.environ) -> Routes:
    """Read and validate the file. Raises RoutesInvalid with every problem that was found."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = Problem("file", f"cannot be read: {error.strerror}", "strangler check --routes routes.yaml")
        raise RoutesInvalid(path, (problem,)) from error
    if len(raw) > FILE_BYTES_MAX:
        raise RoutesInvalid(path, (Problem("file", f"is larger than {FILE_BYTES_MAX >> 20} MiB"),))
    return parse_routes(raw, path, environ)


def parse_routes(raw: bytes, path: Path, environ: Mapping[str, str]) -> Routes:
    """The same for bytes that were read already; `path` is where relative paths in it start from."""
    document = _load(raw, path)
    problems: list[Problem] = []
    document = _fill(document, "", environ, problems)
    names = tuple(name_problems(document))
    document |= {"path": path, "digest": digest_of(raw)}
    try:
        routes = Routes.model_validate(document)
    except ValidationError as error:
        problems.extend((*_from_pydantic(error, document), *names))
        raise RoutesInvalid(path, tuple(problems)) from error
    problems.extend((*names, *reference_problems(routes)))
    if problems:
        raise RoutesInvalid(path, tuple(problems))
    return _with_absolute_paths(routes)


def _load(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RoutesInvalid(path, (Problem(f"byte {error.start}", "is not UTF-8"),)) from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "file"
        what = " ".join(str(getattr(error, "problem", None) or "is not YAML").split())
        raise RoutesInvalid(path, (Problem(where, what, "version: 1"),)) from error
    if not isinstance(document, dict):
        raise RoutesInvalid(path, (Problem("file", "is not a mapping with keys at its top", "version: 1"),))
    reserved = [Problem(key, "is not a key of this file") for key in ("path", "digest") if key in document]
    if reserved:
        raise RoutesInvalid(path, tuple(reserved))
    return document


def _fill(node: Any, where: str, environ: Mapping[str, str], problems: list[Problem]) -> Any:
    """The same tree with `${NAME}` and `${NAME:-default}` replaced in every string."""
    if isinstance(node, dict):
        return {key: _fill(value, f"{where}.{key}".lstrip("."), environ, problems) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, f"{where}[{index}]", environ, problems) for index, value in enumerate(node)]
    if not isinstance(node, str):
        return node

    def value_of(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        value = environ.get(name) or default
        if value is None:
            what = f"the environment has no {name}"
            problems.append(Problem(where, what, f"export {name}=..., or ${{{name}:-default}}"))
            return found[0]
        return value

    return VARIABLE.sub(value_of, node)


def _from_pydantic(error: ValidationError, document: Any) -> list[Problem]:
    found: dict[str, Problem] = {}
    for one in error.errors(include_url=False, include_input=False):
        where = _place(one["loc"], document)
        if one["type"] == "extra_forbidden":
            found.setdefault(where, Problem(where, "is not a key that is known here", _nearest(str(one["loc"][-1]))))
            continue
        if one["type"] == "string_pattern_mismatch":
            found.setdefault(where, Problem(where, "does not have the form that is expected", _example(one["loc"])))
            continue
        what = one["msg"].removeprefix("Value error, ").replace("Field required", "is missing")
        found.setdefault(where, Problem(where, what[:1].lower() + what[1:], _example(one["loc"])))
    return list(found.values())


def _place(location: Sequence[str | int], document: Any) -> str:
    """`routes[3].match` for pydantic's location, without the names of union members that are not in the file."""
    text, node = "", document
    for part in location:
        if isinstance(part, int) and isinstance(node, list) and part < len(node):
            text, node = f"{text}[{part}]", node[part]
        elif isinstance(node, dict) and (part in node or part == location[-1]):
            text, node = f"{text}.{part}", node.get(part)
    return text.lstrip(".") or "file"


EXAMPLES = {
    "version": "version: 1",
    "listen": "listen: 127.0.0.1:8080",
    "admin": "admin: 127.0.0.1:8081",
    "workers": "workers: 2",
    "trusted_proxies": "trusted_proxies: [10.0.0.0/8]",
    "instances": 'instances: ["http://10.0.0.5:8081"]',
    "url": 'url: "http://127.0.0.1:9100"',
    "connect_timeout": "connect_timeout: 1s",
    "timeout": "timeout: 30s",
    "connections": "connections: 256",
    "health": "health: /healthz",
    "breaker": "breaker: {failures: 5, open_for: 10s}",
    "open_for": "open_for: 10s",
    "retries": "retries: 1",
    "stage": "stage: shadow",
    "cookie": "cookie: strangler-accounts",
    "percent": "percent: 5",
    "key": 'key: "header:X-Customer-Id"',
    "tls": "tls: {ca: bank-ca.crt, server_name: core.bank.example}",
    "certificate": "certificate: tls.crt",
    "client_ca": "client_ca: ca.crt",
    "ca": "ca: bank-ca.crt",
    "server_name": "server_name: core.bank.example",
    "access_log": "access_log: {file: access.jsonl}",
    "file": "file: access.jsonl",
    "tracing": 'tracing: {endpoint: "http://127.0.0.1:4318/v1/traces", sample: 10%}',
    "endpoint": 'endpoint: "http://127.0.0.1:4318/v1/traces"',
    "failure_rate": "breaker: {failure_rate: 50%, window: 10s, requests: 20}",
    "waiting": "waiting: 128",
    "wait": "wait: 250ms",
    "health_every": "health_every: 5s",
    "idempotency": "idempotency: {keep: 24h, answer_max: 64KiB, when_down: refuse}",
    "keep": "keep: 24h",
    "answer_max": "answer_max: 64KiB",
    "when_down": "when_down: refuse",
    "scope": 'scope: "jwt:sub"',
    "sample": "sample: 100%",
    "body_max": "body_max: 1MiB",
    "sync": "sync: {source: legacy, target: ledger, mappings: legacy_adapter/mappings/accounts}",
    "mismatch_rate": "mismatch_rate: 0.1%",
    "confidence": "confidence: 95%",
    "coverage": "coverage: 95%",
    "latency_p99_ratio": "latency_p99_ratio: 1.2",
    "lag": "lag: 2s",
    "approvals": "approvals: 2",
    "calendar": 'calendar: {timezone: Europe/Zurich, end_of_day: {begin: "17:30", end: "06:00"}, month_end_seen: true}',
    "timezone": "timezone: Europe/Zurich",
    "freezes": "freezes: [{name: year end, first: 2026-12-20, last: 2027-01-07}]",
    "first": "first: 2026-12-20",
    "last": "last: 2027-01-07",
    "end_of_day": 'end_of_day: {begin: "17:30", end: "06:00", on: [mon, tue, wed, thu, fri]}',
    "begin": 'begin: "17:30"',
    "end": 'end: "06:00"',
    "on": "on: [mon, tue, wed, thu, fri]",
    "month_end_seen": "month_end_seen: true",
    "match": 'match: "GET /accounts/{account_id}"',
    "shadow": "shadow: dry_run",
    "ignore": 'ignore: ["$.served_by"]',
    "protect": 'protect: ["$.balance"]',
    "rules": 'rules: [{path: "$.amount", tolerance: 0.01, reason: "legacy rounds half down"}]',
    "tolerance": "tolerance: 0.01 (or 0.1%, or {minor_units: 1, decimals: 2})",
    "minor_unit": "minor_unit: {legacy: 2}",
    "date": 'date: ["%Y%m%d", "%d.%m.%Y"]',
    "time": "time: Europe/Berlin (or strict)",
    "codes": "codes: {A: ACTIVE, C: CLOSED}",
    "null_is_absent": "null_is_absent: true",
    "order": "order: any",
    "reason": 'reason: "legacy rounds half down, accepted by the owner of the ledger"',
    "until": "until: 2027-03-31",
    "declared": 'declared: [{name: rounding, path: "$.fee", reason: why, owner: us, until: 2027-03-31, test: t}]',
    "identity": 'identity: ["$.customer_id"]',
    "hides_max": "hides_max: 20%",
    "lines": 'lines: {ignore: ["^Printed at "], ends: any}',
    "csv": 'csv: {delimiter: ";", header: true}',
    "offset": "body: {offset: 0, equals: INQA, codepage: cp037}",
    "legacy": "legacy: monolith",
    "modern": "modern: ledger",
    "capability": "capability: accounts",
    "upstream": "upstream: monolith",
    "routes": 'routes: [{match: "GET /accounts/{account_id}", capability: accounts}]',
}


def _nearest(key: str) -> str:
    near = get_close_matches(key, EXAMPLES, n=1)
    return EXAMPLES[near[0]] if near else "strangler schema prints every key"


def _example(location: Sequence[str | int]) -> str:
    """What is right at that place: by the innermost key that is known."""
    if "rules" in location and location[-1] == "key":
        return "key: [account, currency]"
    for part in reversed(location):
        if isinstance(part, str) and part in EXAMPLES:
            return EXAMPLES[part]
    return "strangler schema prints every key"


def _with_absolute_paths(routes: Routes) -> Routes:
    """Paths in the file are relative to the file, not to whoever reads it."""
    folder = routes.path.resolve().parent
    capabilities = {
        name: one.model_copy(update={"sync": one.sync.model_copy(update={"mappings": folder / one.sync.mappings})})
        if one.sync
        else one
        for name, one in routes.capabilities.items()
    }
    listed = tuple(
        one.model_copy(update={"compare": one.compare.model_copy(update={"copybook": folder / one.compare.copybook})})
        if one.compare.copybook
        else one
        for one in routes.routes
    )
    upstreams = {name: _with_files(one, folder) for name, one in routes.upstreams.items()}
    gateway = _with_files(routes.gateway, folder)
    return routes.model_copy(
        update={"capabilities": capabilities, "routes": listed, "upstreams": upstreams, "gateway": gateway}
    )


def _with_files(part: Served, folder: Path) -> Served:
    """The same with the files of its sections where they are."""
    sections = {}
    for name, section in part:
        if isinstance(section, Model):
            files = {key: folder / value for key, value in section if isinstance(value, Path)}
            sections[name] = section.model_copy(update=files)
    return part.model_copy(update=sections)
