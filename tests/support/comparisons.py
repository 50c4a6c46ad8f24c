"""A summary as a run of traffic leaves it, for tests of what is made of one."""

from __future__ import annotations

from shadow.accounting import Accounting
from shadow.summary import Cluster, Keys, LatencyGroup, Moment, RouteSummary, Sample, Summary

HOSTILE = "</script><script>alert(1)</script>\"'<img src=https://evil.example/x>\x1b[2J"


def summary_with(name: str = "$.balance", mismatched: int = 20) -> Summary:
    """Two routes, one of them with differences under that name."""
    sample = Sample(1_790_000_100.0, name, f"9(4).9(2) ~{name}", None)
    timed = LatencyGroup(False, 200, 10.0, 5.0, tuple((0.01, 0.012) for _ in range(200)))
    bad = RouteSummary(
        f"GET /{name}",
        Accounting(
            110, {"body_too_large": 4}, {"queue_full": 3}, {"modern": 3}, {"equal": 80, "race": 5, "different": 15}
        ),
        Keys(90, mismatched, 4),
        {f"different: {name}": 2},
        {"2xx/2xx": 100},
        {f"200 application/json {{{name}}}": 40, "404 -": 1},
        (timed,),
        (Cluster(name, "value", "9.9 / -", 15, 2, 1_790_000_000.0, 1_790_000_200.0, (sample,)),),
    )
    good = RouteSummary(
        "GET /good", Accounting(50, verdicts={"equal": 50}), Keys(50), {}, {"2xx/2xx": 50}, {"200 - {a}": 50}
    )
    moments = tuple(
        Moment(1_790_000_000.0 + 10 * number, 10.0, 10, number % 3, 2, 0.01 + number / 1e4, 0.012)
        for number in range(15)
    )
    return Summary(
        "accounts", 1_790_000_000.0, 1_790_000_150.0, Keys(120, mismatched, 4), (good, bad), (timed,), moments
    )
