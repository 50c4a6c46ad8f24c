from dataclasses import replace
from datetime import date

from rich.console import Console, RenderableType

from config.comparing import Compare
from config.model import Gates
from shadow.gate import evidence_of, judge
from shadow.html import html
from shadow.noise import noise_of
from shadow.report import CLUSTERS_MAX, ROUTES_MAX, terminal, terminal_noise, terminal_replayed, worst_clusters
from shadow.summary import Summary
from tests.support.comparisons import HOSTILE, summary_with


def shown(summary: Summary, gates: Gates | None = None, width: int = 100) -> str:
    return printed(terminal(summary, judge(evidence_of(summary), gates or Gates())), width)


def printed(what: RenderableType, width: int = 160) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"), force_terminal=False)  # noqa: SIM115, PTH123
    with console.file:
        console.print(what)
    return console.export_text()


def test_the_verdict_comes_first_then_the_worst_then_why_and_what_next() -> None:
    text = shown(summary_with())
    order = ["accounts must not move on", "110", "GET /$.balance", "GET /good", "$.balance", "Why", "coverage", "Next"]
    places = [text.find(part) for part in order]
    assert -1 not in places
    assert text.index("GET /$.balance") < text.index("GET /good")


def test_a_pass_says_that_the_capability_may_be_advanced() -> None:
    summary = summary_with(mismatched=0)
    good = replace(summary, routes=summary.routes[:1])
    text = shown(good, Gates(mismatch_rate=0.05))
    assert "accounts may move on" in text
    assert "may be advanced" in text
    assert "Why" not in text


def test_without_traffic_it_says_so() -> None:
    assert "nothing has been compared yet" in shown(Summary("accounts"))


def test_hostile_names_cannot_move_the_cursor_or_add_markup() -> None:
    text = shown(summary_with(HOSTILE + "[bold]"))
    assert "\x1b" not in text
    assert "[bold]" in text.replace("\n", "")


def test_one_screen_however_much_there_is() -> None:
    summary = summary_with()
    many = replace(
        summary,
        routes=tuple(replace(summary.routes[1], route=f"GET /r{number}") for number in range(40)),
    )
    text = shown(many)
    assert f"and {40 - ROUTES_MAX} more routes" in text
    assert f"and {40 - CLUSTERS_MAX} more" in text
    assert text.count("\n") < 60


def test_races_alone_are_worse_than_nothing_but_not_than_a_difference() -> None:
    summary = summary_with()
    cluster = summary.routes[1].clusters[0]
    race = replace(cluster, path="$.race", count=0, races=99)
    routes = (replace(summary.routes[1], clusters=(race, cluster)),)
    assert [found.path for _, found in worst_clusters(replace(summary, routes=routes))] == ["$.balance", "$.race"]


def test_noise_is_told_with_its_evidence_and_the_line_that_accepts_it() -> None:
    route = replace(summary_with().routes[1], noise={"": 100, "$.balance": 60, "$.at": 40})
    noise = noise_of(route, Compare(protect=("$.at",)))
    text = printed(terminal_noise(noise, date(2026, 11, 25)))
    assert "legacy differs from itself in 60 of 100 reads" in text
    assert "it is protected" in text
    assert text.count("- {path:") == 1
    page = html(summary_with(), judge(evidence_of(summary_with()), Gates()), (), noise)
    assert "Noise of legacy" in page
    assert "60 of 100 reads" in page


def test_a_replay_says_what_differs_and_what_was_not_sent() -> None:
    text = printed(terminal_replayed(summary_with()))
    assert "15 different of 150 compared" in text
    assert "4 skipped: body_too_large" in text
    assert "3 no answer from modern" in text
    assert "$.balance" in text
