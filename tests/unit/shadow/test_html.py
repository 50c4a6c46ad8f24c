import re
from html.parser import HTMLParser

import pytest

from config.model import Gates
from shadow.gate import evidence_of, judge
from shadow.html import html
from shadow.summary import Summary
from tests.support.comparisons import HOSTILE, summary_with

VOID = {"meta", "br", "line", "circle", "polyline"}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID and tag != "li":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "li":
            assert self.open.pop() == tag


def page_of(summary: Summary) -> str:
    return html(summary, judge(evidence_of(summary), Gates()))


@pytest.mark.parametrize(
    "summary", [Summary("accounts"), summary_with(), summary_with(HOSTILE)], ids=["empty", "usual", "hostile"]
)
def test_the_page_opens_without_a_network(summary: Summary) -> None:
    text = page_of(summary)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not re.search(r"url\(|@import|\bsrc=(?!https)|\bhref=|\bsrcset=", text)
    assert "default-src 'none'" in text


def test_no_url_of_ours_is_in_the_page() -> None:
    assert "://" not in page_of(summary_with())


def test_hostile_names_are_text() -> None:
    text = page_of(summary_with(HOSTILE))
    assert "<script" not in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_what_matters_is_on_it() -> None:
    text = page_of(summary_with())
    for part in (
        "must not move on",
        "What stands in the way",
        "Agreement over time",
        "Latency of both sides",
        "$.balance",
        "race: 5",
        "skipped, body_too_large: 4",
    ):
        assert part in text
    assert text.count("<polyline") == 3
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_the_bar_of_a_route_is_all_of_its_requests() -> None:
    bars = re.findall(r'<svg class="bar".*?</svg>', page_of(summary_with()), re.DOTALL)
    for bar in bars:
        widths = [float(width) for width in re.findall(r'width="([\d.]+)"', bar)]
        assert sum(widths) == pytest.approx(100, abs=0.01)
    assert len(bars) == 2
