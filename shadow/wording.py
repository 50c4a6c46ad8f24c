"""The verdict in words; the same ones in the terminal and in the page."""

from __future__ import annotations

from shadow.figures import count, duration
from shadow.gate import GateVerdict, Reason
from shadow.summary import RouteSummary, Summary

ANSWERS = {"pass": "may move on", "fail": "must not move on", "need more": "needs more evidence"}


def printable(text: str) -> str:
    """The text without control characters, which could move a terminal's cursor or hide something."""
    return "".join(character if character.isprintable() else "?" for character in text)


def headline(summary: Summary, verdict: GateVerdict) -> str:
    """The verdict in one sentence."""
    if not summary.accounting.eligible:
        return f"{summary.capability}: nothing has been compared yet"
    return f"{summary.capability} {ANSWERS[verdict.answer]}"


def next_step(verdict: GateVerdict) -> str:
    """What to do now, in one sentence."""
    if verdict.answer == "pass":
        return "Every gate of the comparison passes: the capability may be advanced."
    if verdict.answer == "fail":
        return "Mend what is listed first, deploy it, and begin the shadow run anew."
    if verdict.forecast_seconds is not None and verdict.more:
        keys = f"{count(verdict.more)} more distinct keys that all agree"
        return f"Wait: {keys} are needed, about {duration(verdict.forecast_seconds)} at today's rate."
    return "Clear the reasons listed; nothing else is in the way."


def where(reason: Reason) -> str:
    """The route of a reason, or that it is about all of them."""
    return printable(reason.route) or "all routes"


def worst_first(routes: tuple[RouteSummary, ...]) -> list[RouteSummary]:
    """Routes by the share of pairs that differ, then by what was not compared."""
    return sorted(routes, key=lambda route: (-disagreement(route), route.accounting.coverage, route.route))


def disagreement(route: RouteSummary) -> float:
    """Share of the comparable pairs that differ."""
    return route.accounting.disagreeing / route.accounting.comparable if route.accounting.comparable else 0.0
