"""What the comparison's store says about a capability, as findings of the gate `comparison`."""

from __future__ import annotations

from pathlib import Path

from config.model import Capability
from runbook.gates import BY_NAME, Finding
from shadow.gate import Evidence, GateVerdict, Reason, evidence_of, judge
from shadow.store import Store


def judge_comparison(place: Path | str, name: str, capability: Capability) -> tuple[Finding, ...]:
    """Return one finding for each condition of the gate. Raises StoreDown."""
    gate = BY_NAME["comparison"]
    if isinstance(place, Path) and not place.exists():
        return (gate.finding(False, "nothing was compared yet", "a comparison"),)
    store = Store(place)
    try:
        evidence = evidence_of(store.summary(name))
    finally:
        store.close()
    return findings(evidence, judge(evidence, capability.gates), capability)


def findings(evidence: Evidence, verdict: GateVerdict, capability: Capability) -> tuple[Finding, ...]:
    """Return the findings of a verdict, in the order of its conditions."""
    limits = capability.gates
    thresholds = {
        "identity": "no answer about another customer",
        "mismatches": f"below {limits.mismatch_rate:.3%} of keys, at {limits.confidence:.0%}",
        "coverage": f"at least {limits.coverage:.0%} on every route",
        "latency": f"p99 of modern at most {limits.latency_p99_ratio:g} x legacy's",
        "accounting": "eligible = compared + skipped + dropped + errored",
    }
    return tuple(
        _finding(condition, [r for r in verdict.reasons if r.condition == condition], threshold, evidence, verdict)
        for condition, threshold in thresholds.items()
    )


def _finding(
    condition: str, reasons: list[Reason], threshold: str, evidence: Evidence, verdict: GateVerdict
) -> Finding:
    gate = BY_NAME["comparison"]
    if not reasons:
        return gate.finding(True, _passing(condition, evidence, verdict), threshold, detail=condition)
    texts = [f"{reason.route}: {reason.text}" if reason.route else reason.text for reason in reasons[:3]]
    more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
    if condition == "mismatches" and verdict.more:
        more += f" ({verdict.more:,} more agreeing keys are needed)"
    remedy = reasons[0].remedy or gate.remedy
    return gate.finding(False, "; ".join(texts) + more, threshold, detail=condition, remedy=remedy)


def _passing(condition: str, evidence: Evidence, verdict: GateVerdict) -> str:
    if condition == "mismatches":
        return f"{evidence.keys.mismatched:,} of {evidence.keys.distinct:,} distinct keys ever mismatched"
    if condition == "latency" and verdict.latency is not None:
        return "within the limit on the same requests"
    return f"met on {len(evidence.routes)} route(s)"
