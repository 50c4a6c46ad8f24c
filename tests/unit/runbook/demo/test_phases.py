from collections import Counter

from runbook.demo.operation import Operation
from runbook.demo.phases import Phase, parse_counts

SCRAPE = """\
# HELP strangler_requests_total Requests.
strangler_requests_total{route="account",side="legacy",status_class="2xx"} 12.0
strangler_requests_total{route="transfer",side="legacy",status_class="2xx"} 3.0
strangler_requests_total{route="odd \\"name\\"",side="modern",status_class="5xx"} 1e+03
strangler_request_seconds_count{route="account",side="legacy"} 12.0
"""


def test_counts_are_summed_over_routes_by_side_and_class() -> None:
    assert parse_counts(SCRAPE) == Counter({("legacy", "2xx"): 15, ("modern", "5xx"): 1000})


def test_a_phase_holds_what_began_in_it() -> None:
    phase = Phase("shadow", 10.0, 20.0, Counter({("legacy", "2xx"): 3, ("legacy", "5xx"): 1}))
    operations = [
        Operation(kind="read", client=1, account="1", began=began, seconds=1, outcome="ok") for began in (9.9, 10, 20)
    ]
    assert [phase.holds(one) for one in operations] == [False, True, False]
    assert phase.side("legacy") == 4
