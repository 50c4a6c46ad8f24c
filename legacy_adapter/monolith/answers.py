"""What every handler of the monolith shares: JSON answers with 200, its connections, and the answer to trouble."""

import psycopg
import structlog
from starlette.requests import Request
from starlette.responses import Response

from config.errors import DatabaseDown
from legacy_adapter import wire
from legacy_adapter.connections import AllConnectionsBusy, Connections

# What a handler may meet before anything is committed; in each of these cases nothing was written.
TROUBLE = (psycopg.Error, DatabaseDown, AllConnectionsBusy)


class OutcomeUnknown(Exception):
    """The database was lost while it committed; the cause says how."""


def json_answer(answer: dict[str, object]) -> Response:
    """200, whatever `answer` says."""
    return Response(wire.to_json(answer), media_type="application/json")


def connections_of(request: Request) -> Connections:
    """The connections of the application that serves this request."""
    connections = request.app.state.connections
    assert isinstance(connections, Connections)  # noqa: S101 - set where the application is built
    return connections


def return_code(problem: Exception) -> str:
    """The code for what went wrong with the database; logs its kind, never its text, which may hold values."""
    sqlstate = problem.sqlstate if isinstance(problem, psycopg.Error) else None
    structlog.get_logger().warning("legacy.trouble", kind=type(problem).__name__, sqlstate=sqlstate)
    return wire.OUTCOME_UNKNOWN if isinstance(problem, OutcomeUnknown) else wire.UNAVAILABLE


def trouble_answer(_: Request, problem: Exception) -> Response:
    """The JSON answer where the database refuses, is away or was lost."""
    code = return_code(problem)
    return json_answer({"rc": code, "msg": wire.MESSAGES[code]})
