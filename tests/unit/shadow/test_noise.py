from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from config.comparing import Compare, Ignore
from shadow.noise import READS_MIN, interval, noise_of, proposal
from shadow.summary import Cluster, RouteSummary

TODAY = date(2026, 11, 25)


def route(noise: dict[str, int], *paths: str) -> RouteSummary:
    clusters = tuple(Cluster(path, "value", "9 / 9", 5, 1, 0.0, 1.0, ()) for path in paths)
    return RouteSummary("GET /a", noise=noise, clusters=clusters)


def test_the_noisiest_path_comes_first_with_its_interval_and_what_it_explains() -> None:
    found = noise_of(route({"": 100, "$.at": 90, "$.id": 95}, "$.at"), Compare())
    assert [(one.path, one.differing, one.reads, one.explains) for one in found] == [
        ("$.id", 95, 100, 0),
        ("$.at", 90, 100, 6),
    ]
    assert 0.82 < found[1].low < 0.9 < found[1].high < 0.95
    assert [one.is_proposed for one in found] == [False, True]
    assert "90 of 100 reads" in found[1].evidence


def test_a_protected_path_is_noisy_and_never_proposed() -> None:
    compare = Compare(protect=("$.balance",), identity=("$.items[*].owner",))
    paths = ("$.balance", "$.balance.amount", "$.items[*].owner", "$.at")
    found = noise_of(route({"": 100, **dict.fromkeys(paths, 50)}, *paths), compare)
    assert {one.path: (one.is_protected, one.is_proposed) for one in found} == {
        "$.balance": (True, False), "$.balance.amount": (True, False), "$.items[*].owner": (True, False),
        "$.at": (False, True),
    }  # fmt: skip


@pytest.mark.parametrize("path", ["status", "$", "other", "header:*"])
def test_what_no_rule_may_ignore_is_not_proposed(path: str) -> None:
    (found,) = noise_of(route({"": 100, path: 50}, path), Compare())
    assert not found.is_proposed


def test_few_reads_propose_nothing() -> None:
    (found,) = noise_of(route({"": READS_MIN - 1, "$.at": 20}, "$.at"), Compare())
    assert not found.is_proposed


@pytest.mark.parametrize("path", ["$.at", "$.items[*].at", "$['odd \\'name\\'']", "header:location"])
def test_a_proposal_is_a_line_of_routes_yaml(path: str) -> None:
    (found,) = noise_of(route({"": 100, path: 50}, path), None)
    (line,) = YAML(typ="safe").load(proposal(found, TODAY))
    assert line["path"] == path
    ignore = Ignore.model_validate({**line, "path": "$.x"})
    assert ignore.until == date(2027, 2, 23)
    assert "50 of 100" in ignore.reason


@given(st.integers(1, 2000).flatmap(lambda reads: st.tuples(st.integers(0, reads), st.just(reads))))
def test_an_interval_holds_its_share(both: tuple[int, int]) -> None:
    low, high = interval(*both)
    assert 0 <= low <= both[0] / both[1] <= high <= 1
    assert interval(0, 0) == (0.0, 1.0)
