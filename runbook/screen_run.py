"""How plans, gates, runs, the board and the journal are shown: Rich renderables, and one line an event on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runbook.advance import Outcome
from runbook.approvals import Decisions
from runbook.ballot import Ballot
from runbook.board import Board, read_boards
from runbook.doctor import Ailment
from runbook.execute import Event, Result
from runbook.gates import Finding
from runbook.journal import Entry, JournalCheck
from runbook.plan import Plan
from runbook.waivers import Waiver

MARKS: dict[Result, str] = {"begun": ">>", "done": "ok", "already done": "ok", "failed": "!!", "undone": "<-"}
STYLES: dict[Result, str] = {"done": "green", "already done": "green", "failed": "red", "undone": "yellow"}


def plan_screen(plan: Plan) -> RenderableType:
    """The plan: every step with its objects, what it is bound to, and the approvals."""
    bound = f"routes.yaml {plan.bindings.routes_digest[:12]}"
    bound += f", mappings {plan.bindings.mappings_digest[:12]}" if plan.bindings.mappings_digest else ""
    made = f"    made by {plan.author}" if plan.author else ""
    head = Text(f"PLAN {plan.hash}\n{plan.capability}: {plan.transition.name}    bound to: {bound}{made}")
    table = Table(box=None, show_header=False, padding=(0, 1))
    for number, action in enumerate(plan.actions, start=1):
        style = "bold" if action.is_final else ""
        took = f"{plan.step_seconds[action.step] * 1000:.0f} ms" if action.step in plan.step_seconds else ""
        table.add_row(str(number), Text(action.step, style), took, Text(action.text, style))
    foot = [Text(f"lost by it: {plan.loses}")] if plan.transition.kind == "back" else []
    if plan.predicted_pause_seconds is not None:
        milliseconds = f"{plan.predicted_pause_seconds * 1000:.0f} ms"
        foot.append(Text(f"predicted pause {milliseconds}, {plan.predicted_by}"))
    if plan.approvals_needed:
        foot.append(Text(f"approvals: {len(plan.approved_by)} of {plan.approvals_needed} {_names(plan.approved_by)}"))
    foot += [Text(f"an approval counts no more: {one}", "yellow") for one in plan.void]
    if plan.rejected_by:
        foot.append(Text(f"rejected by {', '.join(plan.rejected_by)}", "red"))
    if plan.interrupted:
        foot.append(Text(f"first of all, the interrupted run {plan.interrupted} is completed or undone", "yellow"))
    return Group(head, table, *foot)


def findings_screen(findings: Sequence[Finding], explain: str | None = None) -> RenderableType:
    """The gates: evidence against threshold; with `explain`, why one blocks and what clears it."""
    if explain is not None:
        chosen = [finding for finding in findings if explain in (finding.gate, finding.gate.partition(":")[0])]
        return Group(*(_explained(finding) for finding in chosen)) if chosen else Text(f"no gate {explain} here")
    table = Table("", "gate", "evidence", "needs", "before", box=None, padding=(0, 1))
    for finding in findings:
        words = Text(finding.evidence), Text(finding.threshold), Text(finding.trend or "-")
        table.add_row(_mark(finding), finding.gate, *words)
    return table


def outcome_screen(outcome: Outcome) -> RenderableType:
    """What a command did."""
    verb = {"": "", "finished": "the interrupted run was finished: ", "undone": "an interrupted run was undone first; "}
    text = f"{verb[outcome.resolved]}{outcome.capability}: {outcome.transition.name}    run {outcome.run_id}"
    if outcome.pause_seconds is not None:
        text += f"    writes were held for {outcome.pause_seconds * 1000:.0f} ms"
    return Text(f"{text}\nnext: {outcome.next_commands[0]}")


def board_screen(boards: Sequence[Board]) -> RenderableType:
    """The board of each capability, one under the other."""
    return Group(*(_board(board) for board in boards))


def journal_screen(entries: Sequence[Entry]) -> RenderableType:
    """What happened and who did it, oldest first."""
    table = Table("#", "at", "who", "what", "capability", "run", "facts", box=None, padding=(0, 1))
    for entry in entries:
        facts = "  ".join(f"{key}={value}" for key, value in entry.facts().items() if value not in ("", [], {}))
        table.add_row(
            str(entry.seq), entry.at[:23], entry.actor, entry.type, entry.capability, entry.run_id, Text(facts)
        )
    return table


def check_screen(check: JournalCheck) -> RenderableType:
    """Whether the chain is whole."""
    counts = f"{check.approvals} approvals, {check.self_approvals} self-approvals"
    if check.ok:
        return Text(f"{check.entries:,} entries, chain intact, head {check.head[:12]}, {counts}")
    return Text("\n".join((f"{check.entries:,} entries, the chain is BROKEN:", *check.problems)), "red")


def decisions_screen(decisions: Decisions, needed: int) -> RenderableType:
    """Where the approvals of a plan stand."""
    text = f"{len(decisions.approved_by)} of {needed} approvals {_names(decisions.approved_by)}"
    return Text(text + (f", rejected by {', '.join(decisions.rejected_by)}" if decisions.rejected_by else ""))


def waiver_screen(waiver: Waiver) -> RenderableType:
    """A waiver, in red, for it hides something that is not well."""
    return Text(f"{waiver.gate} is waived by {waiver.people} until {waiver.expires_at[:16]}: {waiver.reason}", "red")


def doctor_screen(found: Sequence[Ailment]) -> RenderableType:
    """Everything that was looked at; what stops a step is red, with its remedy below it."""
    table = Table("", "capability", "part", "seen", box=None, padding=(0, 1))
    for one in found:
        mark = Text("STOPS", "bold red") if one.stops else Text("!!", "yellow") if one.remedy else Text("ok", "green")
        seen = Text(one.seen)
        if one.remedy:
            seen.append(f"\n  {one.remedy}", "yellow")
        table.add_row(mark, one.capability or "-", one.part, seen)
    stopping = sum(one.stops for one in found)
    return Group(
        table, Text(f"{stopping} of {len(found)} would stop the next step" if stopping else "nothing would stop it")
    )


def watch_boards(routes_path: Path, capability: str | None, seconds: float = 1.0) -> None:
    """Show the board on stderr and refresh it, until Ctrl-C."""
    with suppress(KeyboardInterrupt), Live(console=Console(stderr=True), auto_refresh=False) as live:
        while True:
            live.update(board_screen(read_boards(routes_path, capability)), refresh=True)
            time.sleep(seconds)


def print_event(event: Event) -> None:
    """One line an event, on stderr."""
    seconds = f"  {event.seconds * 1000:.0f} ms" if event.seconds >= 0.0005 else ""
    print(f"{MARKS[event.result]}  {event.step:<12} {event.text}{seconds}", file=sys.stderr, flush=True)


def _names(people: Sequence[str]) -> str:
    return f"({', '.join(people)})" if people else ""


def _mark(finding: Finding) -> Text:
    if finding.ok:
        return Text("ok", "green")
    return Text("waived", "red") if finding.waived_by else Text("BLOCKS", "bold red")


def _explained(finding: Finding) -> RenderableType:
    lines = [
        f"{finding.gate}: {'passes' if finding.ok else 'blocks'}",
        f"  evidence   {finding.evidence}",
        f"  needs      {finding.threshold}",
        f"  before     {finding.trend or 'never asked'}",
        f"  because    {finding.why}",
    ]
    if finding.waived_by:
        lines.append(f"  waived by  {finding.waived_by}")
    if not finding.ok:
        lines.append(f"  clear it   {finding.remedy}")
    return Text("\n".join(lines))


def _board(board: Board) -> RenderableType:
    percent = f" {board.percent:g} %" if board.percent is not None else ""
    run = f"    run {board.run.id} {board.run.status} by {board.run.actor}" if board.run else ""
    rows = Table(box=None, show_header=False, padding=(0, 1))
    for gateway in board.gateways:
        held = f", holding {gateway.held} writes" if gateway.is_holding else ""
        if gateway.is_cut_off:
            held = ", REFUSES writes: it has not heard how the last cutover ended"
        evidence = ("on the same file" if gateway.is_current else "on another file") + held
        is_well = gateway.is_current and not gateway.is_cut_off
        rows.add_row(_ok(is_well), "gateway", Text(f"{gateway.url}: {evidence}"))
    for stream in board.streams:
        lag = f", lag {stream.lag_seconds:.1f} s" if stream.lag_seconds is not None else ""
        alarms = f", {stream.alarms} alarm(s)" if stream.alarms else ""
        text = f"{stream.name}: {stream.state}, mode {stream.mode or '-'}, {stream.applied_rows:,} rows{lag}{alarms}"
        rows.add_row(_ok(stream.state == "streaming" and not stream.alarms), "stream", Text(text))
    for gate, ok, evidence, at in board.last_gates:
        rows.add_row(_ok(ok), "gate", Text(f"{gate}: {evidence}  ({at[11:19]})"))
    if board.waivers:
        rows.add_row(Text("!!", "red"), "waiver", Text(f"{len(board.waivers)} gate(s) are waived", "bold red"))
    for waiver in board.waivers:
        rows.add_row(Text("!!", "red"), "waiver", waiver_screen(waiver))
    for ballot in board.ballots:
        rows.add_row(_ok(not ballot.decisions.void), "approvals", _ballot(ballot))
    for done in board.last_runs[:3]:
        pause = f", pause {done.pause_seconds * 1000:.0f} ms" if done.pause_seconds else ""
        rows.add_row("", "run", Text(f"{done.id} {done.transition.name}: {done.status}{pause}, by {done.actor}"))
    for sentence in board.unknown:
        rows.add_row(Text("??", "yellow"), "unknown", Text(sentence))
    head = Text(f"{board.capability}    stage {board.stage}{percent}    writes: {board.home}{run}", "bold")
    legal = f"next: {board.next_command}    legal now: {', '.join(board.legal) or 'nothing'}"
    return Group(head, rows, Text(legal), Text(""))


def _ballot(ballot: Ballot) -> Text:
    approved, rejected = ballot.decisions.approved_by, ballot.decisions.rejected_by
    parts = [f"approved by {', '.join(approved)}"] if approved else []
    parts += [f"rejected by {', '.join(rejected)}"] if rejected else []
    text = Text(f"plan {ballot.plan[:12]}: {'; '.join((*parts, *map(str, ballot.decisions.void)))}")
    return text.append(f"\n  {ballot.todo}", "yellow") if ballot.todo else text


def _ok(is_ok: bool) -> Text:
    return Text("ok", "green") if is_ok else Text("!!", "red")
