import psycopg
import pytest
from starlette.requests import Request

from config.errors import DatabaseDown
from legacy_adapter.monolith.answers import OutcomeUnknown, json_answer, return_code, trouble_answer


def test_every_answer_is_200_and_compact():
    answer = json_answer({"rc": "14", "msg": "X"})
    assert (answer.status_code, answer.body, answer.media_type) == (200, b'{"rc":"14","msg":"X"}', "application/json")


@pytest.mark.parametrize(
    ("problem", "code"),
    [(psycopg.errors.ObjectInUse(), "96"), (DatabaseDown("corebank", "x"), "96"), (OutcomeUnknown(), "97")],
)
def test_trouble_is_a_return_code(problem, code):
    assert return_code(problem) == code
    answer = trouble_answer(Request({"type": "http"}), problem)
    assert answer.status_code == 200
    assert answer.body.startswith(b'{"rc":"%s"' % code.encode())
