import asyncio
from decimal import Decimal

import psycopg
import pytest

from legacy_adapter.monolith.answers import OutcomeUnknown
from legacy_adapter.monolith.postings import Holding, commit, move, refusal_of


def holding(**changes):
    return Holding(**({"number": "1", "currency": "GBP", "balance": Decimal(10), "status": "00"} | changes))


@pytest.mark.parametrize(
    ("payer", "payee", "code"),
    [
        ({}, {}, None),
        ({}, {"status": "10"}, None),
        ({"status": "10"}, {}, "20"),
        ({"status": "20"}, {}, "20"),
        ({"status": "90"}, {}, "20"),
        ({}, {"status": "20"}, "20"),
        ({}, {"status": "90"}, "20"),
        ({}, {"currency": "EUR"}, "20"),
        ({"balance": Decimal("9.99")}, {}, "51"),
        ({"balance": Decimal("9.99"), "status": "20"}, {}, "20"),
    ],
)
def test_checks_and_their_order(payer, payee, code):
    assert refusal_of(holding(**payer), holding(number="2", **payee), Decimal(10)) == code


def test_a_move_makes_two_legs_and_no_money():
    payer, payee = holding(), holding(number="2", balance=Decimal(5))
    debit, credit = move(payer, payee, Decimal("2.50"), "r", None)
    assert (debit.flag, debit.account, debit.after) == ("D", "1", Decimal("7.50"))
    assert (credit.flag, credit.account, credit.after) == ("C", "2", Decimal("7.50"))
    assert payer.balance + payee.balance == 15


class Lost:
    def __init__(self, problem, closed):
        self.problem, self.closed = problem, closed

    async def commit(self):
        raise self.problem


@pytest.mark.parametrize(
    ("problem", "closed", "expected"),
    [
        (psycopg.OperationalError("lost"), True, OutcomeUnknown),
        (psycopg.errors.AdminShutdown(), True, OutcomeUnknown),
        (psycopg.errors.ObjectInUse(), False, psycopg.errors.ObjectInUse),
        (psycopg.errors.SerializationFailure(), False, psycopg.errors.SerializationFailure),
    ],
)
def test_a_server_lost_while_it_commits_is_not_a_refusal(problem, closed, expected):
    with pytest.raises(expected):
        asyncio.run(commit(Lost(problem, closed)))
