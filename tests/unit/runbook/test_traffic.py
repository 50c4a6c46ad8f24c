"""Requests a second by table, from what the gateways count by route."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook import traffic
from runbook.traffic import traffic_by_table


def test_the_requests_of_a_route_count_for_each_table_of_its_capability(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("account", "posting"):
        (tmp_path / f"{name}.sql").write_text(f"-- target: {name}\n-- key: id\nSELECT 1")
    texts = iter(
        [
            'strangler_requests_total{route="GET /a",side="legacy",status_class="2xx"} 10.0\n',
            'strangler_requests_total{route="GET /a",side="legacy",status_class="2xx"} 40.0\n',
        ]
    )
    monkeypatch.setattr(traffic.httpx, "get", lambda *_, **__: SimpleNamespace(text=next(texts)))
    monkeypatch.setattr(traffic.time, "sleep", lambda _: None)
    clock = iter([0.0, 5.0])
    monkeypatch.setattr(traffic.time, "monotonic", lambda: next(clock))
    capability = SimpleNamespace(sync=SimpleNamespace(mappings=tmp_path))
    routes = SimpleNamespace(
        routes=[
            SimpleNamespace(name=None, match="GET /a", capability="accounts"),
            SimpleNamespace(name="x", match="", capability=None),
        ],
        capabilities={"accounts": capability},
    )
    assert traffic_by_table(routes, ["http://127.0.0.1:1"]) == {"account": 6.0, "posting": 6.0}  # type: ignore[arg-type]
