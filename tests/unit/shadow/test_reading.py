from pathlib import Path

from shadow.observation import Dropped, Errored, Skipped
from shadow.store import Store
from tests.support.answers import pair, verdict_on


def test_a_summary_has_every_number_in_its_place(tmp_path: Path) -> None:
    store = Store(tmp_path / "shadow.db")
    store.reset("accounts", 900.0)
    differing = ({"a": 1}, {"a": 2})
    store.record([
        (pair(*differing), verdict_on(*differing)),
        (pair({"a": 1, "b": 1}, {"b": 1, "a": 1}, key=None), verdict_on({"a": 1, "b": 1}, {"b": 1, "a": 1})),
        (Skipped("GET /accounts/{no}", "accounts", "body_too_large"), None),
        (Dropped("GET /accounts/{no}", "accounts", "queue_full", 2), None),
        (Errored("GET /accounts/{no}", "accounts", "modern", 3), None),
    ])  # fmt: skip
    summary = store.summary("accounts")
    store.close()
    (route,) = summary.routes
    assert (summary.started_at, summary.last_at) == (900.0, 1000.0)
    assert route.accounting.verdicts == {"different": 1, "equivalent": 1}
    assert (route.accounting.skipped, route.accounting.dropped) == ({"body_too_large": 1}, {"queue_full": 2})
    assert (route.accounting.errored, route.accounting.eligible) == ({"modern": 3}, 8)
    assert route.reasons == {"equivalent: key_order": 1}
    assert route.statuses == {"2xx/2xx": 2}
    assert route.shapes == {"200 application/json {a}": 1, "200 application/json {a b}": 1}
    assert (summary.keys.distinct, summary.keys.mismatched, summary.keys.keyless_pairs) == (2, 1, 1)
    assert route.clusters[0].samples[0].place == "$.a"
