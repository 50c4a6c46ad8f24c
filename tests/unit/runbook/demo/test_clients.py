import asyncio
import io
import json
import random
from collections.abc import Callable

import httpx
import msgspec
import pytest

from runbook.demo.cast import Actor, Cast
from runbook.demo.clients import Client, Progress, Recorder
from runbook.demo.operation import Operation

ACTOR = Actor("10000001", "2000000001", "GBP")
CAST = Cast((ACTOR,), (("10000002", "2000000002"),), {"GBP": ("2000000002",)}, {"GBP": ("2000000003",)})
Handler = Callable[[httpx.Request], httpx.Response]


def run(act: Callable[[Client], object], handler: Handler) -> tuple[list[Operation], Progress]:
    history = io.BytesIO()
    recorder = Recorder(history)

    async def once() -> None:
        transport = httpx.MockTransport(handler)
        async with httpx.AsyncClient(transport=transport, base_url="http://bank") as http:
            await act(Client(0, ACTOR, CAST, http, recorder, random.Random(1)))  # type: ignore[misc]

    asyncio.run(once())
    return [msgspec.json.decode(line, type=Operation) for line in history.getvalue().splitlines()], recorder.progress


def posted(request: httpx.Request) -> httpx.Response:
    body = json.loads(request.content)
    return httpx.Response(200, json={"rc": "00", "ref": body["ref"], "bal": 1})


def test_an_acknowledged_transfer_is_written_with_all_that_the_proof_needs() -> None:
    (one,), progress = run(lambda client: client.transfer(), posted)
    assert (one.outcome, one.account, one.payee) == ("ok", "2000000001", "2000000002")
    assert one.reference
    assert float(one.amount) > 0
    assert (progress.requests, progress.failed, progress.transfers) == (1, 0, 1)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def silent(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("silence")


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (unreachable, "failed"),
        (silent, "unknown"),
        (lambda _: httpx.Response(503), "unknown"),
        (lambda _: httpx.Response(200, text="<html>"), "unknown"),
        (lambda _: httpx.Response(200, json={"rc": "51"}), "failed"),
    ],
)
def test_a_transfer_without_its_acknowledgement_counts_as_failed(handler: Handler, outcome: str) -> None:
    (one,), progress = run(lambda client: client.transfer(), handler)
    assert one.outcome == outcome
    assert progress.failed == 1


def test_a_refusal_that_was_asked_for_is_no_failure_but_an_acceptance_is() -> None:
    (one,), _ = run(lambda c: c.transfer_that_is_refused(), lambda _: httpx.Response(200, json={"rc": "14"}))
    assert one.outcome == "refused"
    (one,), _ = run(lambda c: c.transfer_that_is_refused(), posted)
    assert one.outcome == "failed"


@pytest.mark.parametrize(("shown", "stale"), [(["r1", "r0"], 0), (["r0"], 1)])
def test_a_statement_without_the_own_write_is_stale(shown: list[str], stale: int) -> None:
    answer = {"rc": "00", "items": [{"ref": reference} for reference in shown]}
    (one,), progress = run(lambda c: c.read_own_write("r1"), lambda _: httpx.Response(200, json=answer))
    assert one.outcome == "ok"
    assert progress.stale_reads == stale
