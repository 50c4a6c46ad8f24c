from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from runbook.basis import Basis, basis_from, basis_of, verdicts
from runbook.gates import BY_NAME, Finding
from runbook.waivers import Waiver

GATES = st.sampled_from(tuple(BY_NAME))
TEXTS = st.text(max_size=5)
FINDINGS = st.lists(st.builds(Finding, GATES, st.booleans(), TEXTS, TEXTS, TEXTS, TEXTS), unique_by=lambda f: f.gate)
WAIVERS = st.lists(st.builds(Waiver, st.just("accounts"), GATES, TEXTS, TEXTS, TEXTS, TEXTS), max_size=3)
LAG = BY_NAME["lag"].finding(True, "0.1 s, 12 bytes behind", "at most 5 s").measuring(0.1)
WAIVER = Waiver("accounts", "lag", "a slow night", "alice", "bob", "2026-11-25T20:00:00.000000+00:00")


def basis(findings: list[Finding], waivers: list[Waiver] | None = None) -> Basis:
    return basis_of(verdicts(findings), waivers or [])


def test_a_figure_that_jitters_changes_nothing() -> None:
    later = replace(LAG, evidence="0.3 s, 99 bytes behind", value=0.3, trend="rising", waived_by="alice and bob")
    assert basis([later]).digest == basis([LAG]).digest


def test_a_verdict_a_threshold_and_a_waiver_do() -> None:
    before = basis([LAG])
    for other, clause in (
        (basis([replace(LAG, ok=False)]), "gate lag: passes (at most 5 s) then, does not pass (at most 5 s) now"),
        (
            basis([replace(LAG, threshold="at most 9 s")]),
            "gate lag: passes (at most 5 s) then, passes (at most 9 s) now",
        ),
        (basis([LAG], [WAIVER]), "waiver of lag by alice and bob until 2026-11-25T20:00 is new: a slow night"),
        (basis([]), "gate lag is gone"),
    ):
        assert other.digest != before.digest
        assert other.changes_since(before) == (clause,)
    assert before.changes_since(basis([LAG], [WAIVER])) == (
        "waiver of lag by alice and bob until 2026-11-25T20:00 is gone",
    )


def test_a_waiver_of_one_of_several_things_belongs_to_its_gate_and_others_do_not_matter() -> None:
    writers = BY_NAME["writers"].finding(False, "job", "none", detail="batch")
    of_one = replace(WAIVER, gate="writers:batch")
    assert basis([writers], [of_one]) != basis([writers])
    assert basis([writers], [WAIVER]) == basis([writers])


@given(FINDINGS, WAIVERS, FINDINGS, WAIVERS)
def test_there_is_a_change_to_tell_if_and_only_if_the_digests_differ(
    then: list[Finding], then_waived: list[Waiver], now: list[Finding], now_waived: list[Waiver]
) -> None:
    before, after = basis(then, then_waived), basis(now, now_waived)
    assert (after.changes_since(before) == ()) == (after.digest == before.digest)


@given(FINDINGS, WAIVERS)
def test_it_does_not_depend_on_the_order_and_survives_being_kept(
    findings: list[Finding], waivers: list[Waiver]
) -> None:
    kept = basis(findings, waivers)
    assert basis_from(kept.as_json()) == kept
    assert basis(findings[::-1], waivers).digest == kept.digest
