"""How each gate's measurement becomes a finding; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runbook.census import Writer
from runbook.errors import GatewayUnreachable
from runbook.gates import BY_NAME, Finding
from runbook.gateways import Table

VERIFY_AGE_SECONDS_MAX = 3600.0
HEARTBEAT_AGE_SECONDS_MAX = 15.0
SILENT_REMEDY = "Start that gateway; or stop it for good, and take it out of gateway.instances"


class Stream(Protocol):
    """What is judged of cdc.state.StreamState."""

    @property
    def state(self) -> str: ...  # noqa: D102  # the columns of strangler.stream
    @property
    def mode(self) -> str: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102
    @property
    def alarms(self) -> int: ...  # noqa: D102
    @property
    def last_alarm(self) -> str | None: ...  # noqa: D102


def judge_gateways(answers: Sequence[Table | GatewayUnreachable], digest: str) -> Finding:
    """Every gateway answers, and every worker in it has the file as it is now."""
    gate, threshold = BY_NAME["gateways"], "every gateway and worker on the same file"
    silent = [each for each in answers if isinstance(each, GatewayUnreachable)]
    behind = [each for each in answers if isinstance(each, Table) and not each.has(digest)]
    told = [f"{each.url} does not answer ({each.reason})" for each in silent]
    if behind:
        refused = "; ".join(line for table in behind for line in table.refused[:1])
        told.append(f"not on {digest[:12]}: {', '.join(table.url for table in behind)}")
        told[-1] += f" ({refused})" if refused else ""
    if not told:
        return gate.finding(True, f"{len(answers)} gateway(s) on {digest[:12]}", threshold)
    remedy = SILENT_REMEDY if silent else ""
    return gate.finding(False, "; ".join(told), threshold, remedy=remedy)


def judge_reversible(mappings: int, refused: Sequence[tuple[str, str]]) -> tuple[Finding, ...]:
    """One finding for each mapping without a way back, so that each is waived by name: its target, and the reason."""
    gate, threshold = BY_NAME["reversible"], "a way back for every mapping"
    if not refused:
        return (gate.finding(True, f"{mappings} of {mappings} mappings have one", threshold),)
    return tuple(gate.finding(False, reason, threshold, detail=target) for target, reason in refused)


def judge_stream(name: str, stream: Stream | None, age_seconds: float | None) -> Finding:
    """The stream that carries the home's writes is streaming, applying, and alive."""
    gate, threshold = BY_NAME["stream"], f"streaming, sign of life within {HEARTBEAT_AGE_SECONDS_MAX:.0f} s"
    if stream is None:
        return gate.finding(False, f"{name} has never run", threshold)
    is_alive = age_seconds is not None and age_seconds <= HEARTBEAT_AGE_SECONDS_MAX
    evidence = f"{name} is {stream.state}, mode {stream.mode}"
    evidence += f", last sign of life {age_seconds:.1f} s ago" if age_seconds is not None else ", no sign of life"
    if stream.error:
        evidence += ", and stopped with an error (strangler sync status shows it)"
    is_ok = stream.state == "streaming" and stream.mode == "apply" and is_alive and not stream.error
    return gate.finding(is_ok, evidence, threshold)


def judge_way_back(name: str, stream: Stream | None, age_seconds: float | None) -> Finding:
    """The stream that will carry them afterwards runs, in skip mode, and has met no writer that it cannot explain."""
    gate, threshold = BY_NAME["way_back"], "streaming in skip mode, 0 alarms"
    if stream is None:
        return gate.finding(False, f"{name} has never run", threshold)
    is_alive = age_seconds is not None and age_seconds <= HEARTBEAT_AGE_SECONDS_MAX
    is_ok = stream.state == "streaming" and stream.mode == "skip" and not stream.alarms and is_alive
    evidence = f"{name} is {stream.state}, mode {stream.mode}, {stream.alarms} alarm(s)"
    if stream.alarms and stream.last_alarm:
        evidence += f", last: {stream.last_alarm}"
    if not is_alive:
        evidence += ", no recent sign of life"
    return gate.finding(is_ok, evidence, threshold)


def judge_lag(seconds: float | None, lag_bytes: int, seconds_max: float) -> Finding:
    """How far the target is behind; None where nothing was applied yet."""
    is_ok = seconds is not None and seconds <= seconds_max
    evidence = "nothing was applied yet" if seconds is None else f"{seconds:.1f} s, {lag_bytes:,} bytes behind"
    return BY_NAME["lag"].finding(is_ok, evidence, f"at most {seconds_max:g} s").measuring(seconds)


def judge_verify(is_equal: bool | None, rows: int, age_seconds: float | None, known: int = 0) -> Finding:
    """The last complete verification found nothing, and is young; and the re-check knows of no row that differs."""
    gate, threshold = BY_NAME["verify"], f"no difference, at most {VERIFY_AGE_SECONDS_MAX / 60:.0f} min old"
    if is_equal is None or age_seconds is None:
        return gate.finding(False, "never run", threshold)
    found = "no difference" if is_equal else "differences"
    evidence = f"{found} in {rows:,} rows, {age_seconds / 60:.1f} min ago"
    if known:
        evidence += f"; since then the re-check has found {known:,} rows that differ"
    is_ok = is_equal and age_seconds <= VERIFY_AGE_SECONDS_MAX and not known
    return gate.finding(is_ok, evidence, threshold).measuring(age_seconds)


def judge_fences(home: str, home_raised: bool, other_raised: bool) -> Finding:
    """The home accepts writes and the other side does not."""
    words = {True: "raised", False: "lifted"}
    evidence = f"{home} (home): {words[home_raised]}, other side: {words[other_raised]}"
    return BY_NAME["fences"].finding(not home_raised and other_raised, evidence, "home lifted, other side raised")


def judge_transactions(old: Sequence[str], budget_seconds: float) -> Finding:
    """Nobody who has written to the tables stays in a transaction for longer than the budget."""
    evidence = "; ".join(old[:5]) or "none"
    threshold = f"no writer open for more than {budget_seconds:g} s"
    return BY_NAME["transactions"].finding(not old, evidence, threshold).measuring(len(old))


def judge_privileges(missing: Sequence[str]) -> Finding:
    """Everything that a cutover does may be done by our roles."""
    return BY_NAME["privileges"].finding(not missing, "; ".join(missing) or "all there", "own tables, set sequences")


def judge_sequences(names: Sequence[str], too_small: Sequence[str]) -> Finding:
    """Every sequence of the new home has room above the old home's."""
    evidence = f"too small: {', '.join(too_small)}" if too_small else f"to be raised: {', '.join(names) or 'none'}"
    return BY_NAME["sequences"].finding(not too_small, evidence, "room above the old home's values")


def judge_writers(is_installed: bool, strangers: Sequence[Writer]) -> tuple[Finding, ...]:
    """One finding for each writer that does not come through the routes, so that each is waived by name."""
    gate, threshold = BY_NAME["writers"], "none outside of the capability's routes"
    if not is_installed:
        remedy = "Run the command again in a minute: counting has begun now"
        return (gate.finding(False, "writers were not counted until now", threshold, remedy=remedy),)
    if not strangers:
        return (gate.finding(True, "none in the last 24 h", threshold),)
    return tuple(
        gate.finding(
            False,
            f"{writer.name} (role {writer.role}) wrote {', '.join(writer.tables)}, last at {writer.last_seen} UTC",
            threshold,
            detail=writer.name,
        )
        for writer in strangers
    )


def judge_sentinel(seconds: float | None, problem: str = "") -> Finding:
    """A row went to modern and another came back."""
    evidence = problem if seconds is None else f"round trip in {seconds:.2f} s"
    threshold = "one round trip through both streams, now"
    return BY_NAME["sentinel"].finding(seconds is not None, evidence, threshold).measuring(seconds)
