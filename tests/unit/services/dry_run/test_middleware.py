from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from services.dry_run.effects import is_dry_run, withholds
from services.dry_run.middleware import HELD_BYTES_MAX, DryRun

DRY = {"X-Shadow": "dry-run"}


def _plain(_: Request) -> Response:
    """Starlette runs it in a thread."""
    withholds("inside", b"")
    return PlainTextResponse(str(is_dry_run()), background=BackgroundTask(withholds, "afterwards", b""))


async def _huge(_: Request) -> Response:
    return StreamingResponse(iter([b"x" * 1024] * (HELD_BYTES_MAX // 1024 + 1)))


async def _broken(_: Request) -> Response:
    withholds("before", b"")
    raise ValueError


def _ask(path: str, *headers: tuple[str, str], outermost: bool = False) -> httpx.Response:
    routes = [Route("/plain", _plain), Route("/huge", _huge), Route("/broken", _broken)]
    app = Starlette(routes=routes, middleware=[] if outermost else [Middleware(DryRun)])
    transport = httpx.ASGITransport(DryRun(app) if outermost else app, raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(path, headers=list(headers))

    return asyncio.run(ask())


@pytest.mark.parametrize("headers", [(), (("X-Shadow", "mirror"),)])
def test_without_the_header_and_for_reads_and_sandboxes_it_does_nothing(headers: tuple[tuple[str, str], ...]) -> None:
    answer = _ask("/plain", *headers)
    assert (answer.text, "x-shadow-effects" in answer.headers) == ("False", False)


def test_a_dry_run_reaches_threads_and_its_record_holds_what_came_after_the_answer_too() -> None:
    answer = _ask("/plain", *DRY.items())
    assert answer.text == "True"
    topics = [item.split(";")[2] for item in answer.headers["x-shadow-effects"].split(", ")]
    assert topics == ['topic="inside"', 'topic="afterwards"']


@pytest.mark.parametrize("headers", [(("X-Shadow", "Dry-Run"),), (("X-Shadow", "dry-run"),) * 2, (("X-Shadow", ""),)])
def test_what_may_have_been_meant_as_a_dry_run_is_refused(headers: tuple[tuple[str, str], ...]) -> None:
    answer = _ask("/plain", *headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "format")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_huge_answer_is_let_go_whole_and_says_that_its_record_is_not_complete() -> None:
    answer = _ask("/huge", *DRY.items())
    assert len(answer.content) == HELD_BYTES_MAX + 1024
    assert answer.headers["x-shadow-effects"] == "incomplete"


def test_around_a_whole_application_it_sees_an_endpoint_that_fails() -> None:
    answer = _ask("/broken", *DRY.items(), outermost=True)
    assert answer.status_code == 500
    assert answer.headers["x-shadow-effects"].startswith('event;suppressed;topic="before"')
