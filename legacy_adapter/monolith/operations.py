"""E10, operations: the business date, batch jobs, and a health page that says OK whatever happens."""

import psycopg
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from legacy_adapter.monolith.answers import OutcomeUnknown, connections_of, json_answer, return_code
from legacy_adapter.monolith.batch import run_interest
from legacy_adapter.monolith.postings import business_date


async def show_business_date(request: Request) -> Response:
    """GET /sys/busdate."""
    async with connections_of(request).take() as conn:
        return json_answer({"busDate": await business_date(conn)})


async def show_health(_: Request) -> Response:
    """GET /health.jsp."""
    return PlainTextResponse("OK")


async def run_job(request: Request) -> Response:
    """POST /sys/job/{name}: runs to its end before it answers; rc 0 done, 8 refused, 12 no such job."""
    name = request.path_params["name"]
    if name != "INTCALC":
        return json_answer({"job": name, "rc": "12", "msg": "NO SUCH JOB"})
    try:
        postings = await run_interest(request.app.state.conninfo)
    except (psycopg.Error, OutcomeUnknown) as problem:
        return_code(problem)
        is_unknown = isinstance(problem, OutcomeUnknown)
        text = "OUTCOME UNKNOWN" if is_unknown else "THE DATABASE REFUSED THE POSTINGS, NOTHING WAS POSTED"
        return json_answer({"job": name, "rc": "8", "postings": 0, "msg": text})
    return json_answer({"job": name, "rc": "0", "postings": postings})


ROUTES = [
    Route("/sys/busdate", show_business_date),
    Route("/sys/job/{name}", run_job, methods=["POST"]),
    Route("/health.jsp", show_health),
]
