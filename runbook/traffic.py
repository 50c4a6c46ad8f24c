"""How many requests a second the gateways see for the tables of each capability, over a short window."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx

from config.model import Routes

WINDOW_SECONDS, TIMEOUT_SECONDS = 5.0, 5.0
_REQUESTS = re.compile(r'^strangler_requests_total\{[^}]*route="((?:[^"\\]|\\.)*)"[^}]*\} (\S+)$', re.MULTILINE)
_TARGET = re.compile(r"^\s*--\s*target\s*:\s*(\S+)", re.MULTILINE)


def traffic_by_table(routes: Routes, urls: list[str]) -> dict[str, float]:
    """Requests a second by target table; a route's requests count for every table of its capability.

    A gateway that does not answer counts nothing: the measurement goes on without it.
    """
    before, begun = _counts(urls), time.monotonic()
    time.sleep(WINDOW_SECONDS)  # a rate needs a window
    after, seconds = _counts(urls), time.monotonic() - begun
    found: dict[str, float] = {}
    for route in routes.routes:
        capability = routes.capabilities.get(route.capability or "")
        if capability is None or capability.sync is None:
            continue
        name = getattr(route, "name", None) or str(route.match)
        rate = max(0.0, after.get(name, 0.0) - before.get(name, 0.0)) / seconds
        for table in _tables(Path(capability.sync.mappings)):
            found[table] = found.get(table, 0.0) + rate
    return found


def _tables(folder: Path) -> set[str]:
    texts = (file.read_text("utf-8", errors="replace") for file in folder.glob("*.sql"))
    return {match[1].lower() for text in texts if (match := _TARGET.search(text))}


def _counts(urls: list[str]) -> dict[str, float]:
    counts: dict[str, float] = {}
    for url in urls:
        try:
            text = httpx.get(f"{url.rstrip('/')}/metrics", timeout=TIMEOUT_SECONDS).text
        except httpx.HTTPError:
            continue
        for route, value in _REQUESTS.findall(text):
            counts[route] = counts.get(route, 0.0) + float(value)
    return counts
