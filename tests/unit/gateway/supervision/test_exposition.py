from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics, merge
from gateway.supervision.exposition import HELP, Facts, exposition

FACTS = Facts(digest="abc", is_refused=True, worker_restarts=2, comparer_restarts=1, is_comparer_up=False)


def _values(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_two_workers_are_one_scrape() -> None:
    workers = [Metrics(), Metrics()]
    for worker in workers:
        worker.series_of("inquiry", "legacy").record(200, 0.001)
        worker.series_of("inquiry", "legacy").record(503, 99.0)
        worker.problems["upstream_down"] += 1
        worker.mirror["inquiry", "sent"] += 3
    snapshots = [worker.snapshot() for worker in workers]
    snapshots[0]["held"] = {"accounts": 4}
    snapshots[1]["in_flight_writes"] = {"accounts": 2}
    snapshots[1]["connections"] = [{"upstream": "monolith", "state": "idle", "count": 7}]
    values = _values(exposition(merge(snapshots), FACTS))
    route = (("route", "inquiry"), ("side", "legacy"))
    assert values["strangler_requests_total", (*route, ("status_class", "2xx"))] == 2
    assert values["strangler_requests_total", (*route, ("status_class", "5xx"))] == 2
    assert values["strangler_request_seconds_count", route] == 4
    assert values["strangler_request_seconds_sum", route] == 198.002
    assert values["strangler_request_seconds_bucket", (("le", "+Inf"), *route)] == 4
    assert values["strangler_mirror_total", (("outcome", "sent"), ("route", "inquiry"))] == 6
    assert values["strangler_problems_total", (("reason", "upstream_down"),)] == 2
    assert values["strangler_held_requests", (("capability", "accounts"),)] == 4
    assert values["strangler_in_flight_writes", (("capability", "accounts"),)] == 2
    assert values["strangler_upstream_connections", (("state", "idle"), ("upstream", "monolith"))] == 7


def test_the_supervisor_adds_what_only_it_knows() -> None:
    values = _values(exposition(merge(()), FACTS))
    assert values["strangler_table_info", (("digest", "abc"),)] == 1
    assert values["strangler_table_refused", ()] == 1
    assert values["strangler_worker_restarts_total", ()] == 2
    assert values["strangler_comparer_restarts_total", ()] == 1
    assert values["strangler_comparer_up", ()] == 0


def test_every_metric_is_on_the_operators_page_and_no_other() -> None:
    page = (
        (Path(__file__).resolve().parents[4] / "docs/operations.md")
        .read_text()
        .partition("\n## Metrics")[2]
        .partition("\n## ")[0]
    )
    families = {family.name for family in text_string_to_metric_families(exposition(merge(()), FACTS))}
    plain = {re.sub("_total$", "", name) for name in re.findall(r"`(strangler_\w+)`", page)}
    assert families | set(HELP) == plain
