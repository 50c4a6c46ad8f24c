"""The HTML reports open in a real browser, offline, at the width of a phone and of a desk: planted, or the demo's.

`make demo-pages` names the pages that a demo left in DEMO_PAGES; then they are opened, and no planted one.
"""

import os
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from config.model import Gates
from shadow.findings import RuleFinding
from shadow.gate import evidence_of, judge
from shadow.html import html
from tests.support.chromium import CHROMIUM, MISSING, dom, screenshot
from tests.support.comparisons import summary_with

PHONE = 500  # the least that headless Chromium makes of a window
DESK, HEIGHT = 1280, 900
EMPTY_PICTURE_BYTES_MAX = 20_000
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

# The page measures itself; nothing else in it is a script, and its policy forbids them.
MEASURE = (
    "<script>onload=()=>{const e=document.documentElement;"
    "e.dataset.overflow=e.scrollWidth-e.clientWidth;"
    "e.dataset.cut=[...document.querySelectorAll('td,p,li,h1,h2,b')].filter(x=>x.scrollWidth>x.clientWidth+1"
    "&&getComputedStyle(x).display!='inline').length;"
    "e.dataset.clipped=[...document.querySelectorAll('svg text')].filter(x=>x.getBBox().x<0).length}</script>"
)


DEMO_PAGES = tuple(os.environ.get("DEMO_PAGES", "").split())
PLANTED = "planted"


@pytest.fixture(scope="module", params=DEMO_PAGES or (PLANTED,))
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    if request.param == PLANTED:
        path.write_text(_planted())
    else:
        shutil.copy(request.param, path)
    return path


def _planted() -> str:
    summary = summary_with("$.balance")
    # One pair in four hundred: the scale begins at 99 %, and its labels are as long as they get.
    timeline = tuple(replace(moment, compared=400, disagreeing=moment.disagreeing and 1) for moment in summary.timeline)
    summary = replace(summary, timeline=timeline)
    verdict = judge(evidence_of(summary), Gates())
    return html(summary, verdict, (RuleFinding("GET /good", "ignore $.served_by", "no answer has it"),))


def test_nothing_is_wider_than_a_phone(page: Path) -> None:
    text = page.read_text()
    assert "<script" not in text
    measured = page.with_name("measured.html")
    open_policy = text.replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
    measured.write_text(open_policy.replace("</head>", f"{MEASURE}</head>"))
    seen = dom(measured, PHONE)
    assert 'data-overflow="0"' in seen
    assert 'data-cut="0"' in seen
    assert 'data-clipped="0"' in seen


def test_a_picture_of_it_is_drawn_that_is_not_empty(page: Path) -> None:
    for width in (PHONE, DESK) if DEMO_PAGES else (DESK,):
        picture = screenshot(page, width, HEIGHT, page.with_name(f"{width}.png"))
        assert struct.unpack(">II", picture[16:24]) == (width, HEIGHT)
        assert len(picture) > EMPTY_PICTURE_BYTES_MAX
