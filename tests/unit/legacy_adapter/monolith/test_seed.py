import random
from decimal import Decimal

import pytest

from legacy_adapter.monolith.seed import Size, _accounts, _customers, _history


def made_up(size):
    chance = random.Random(size.seed)
    customers = list(_customers(size, chance))
    accounts = list(_accounts(size, chance))
    return customers, accounts, _history(size, chance, accounts)


def test_the_same_number_gives_the_same_rows():
    size = Size(customers=10, accounts=30, history=200)
    assert made_up(size) == made_up(size)
    assert made_up(size) != made_up(Size(customers=10, accounts=30, history=200, seed=88))


def test_money_is_neither_made_nor_lost_and_balances_run():
    _, accounts, history = made_up(Size(customers=10, accounts=30, history=200))
    assert len(history) == 200
    balances = {account.number: Decimal(0) for account in accounts}
    for row in history:
        number, flag, amount, after = row[2], row[5], row[6], row[7]
        assert amount > 0
        balances[number] += amount if flag == "C" else -amount
        assert balances[number] == after
    assert balances == {account.number: account.balance for account in accounts}
    for currency in ("GBP", "EUR"):
        assert sum(account.balance for account in accounts if account.currency == currency) == 0


def test_rows_are_numbered_in_the_order_of_their_dates():
    _, _, history = made_up(Size(customers=10, accounts=30, history=200))
    assert [row[0] for row in history] == sorted(row[0] for row in history)
    assert [row[9] for row in history] == sorted(row[9] for row in history)
    assert all(len(row[9]) == 26 for row in history)


def test_closed_customers_own_the_accounts_without_history():
    customers, accounts, history = made_up(Size(customers=10, accounts=30, history=200))
    closed = {row[0] for row in customers if row[5] == "90"}
    gone = {account.number for account in accounts if account.kind == "X"}
    assert {account.customer for account in accounts if account.kind == "X"} == closed
    assert gone
    assert not gone & {row[2] for row in history}


@pytest.mark.parametrize(("customers", "accounts"), [(2, 10), (10, 9)])
def test_a_bank_that_is_too_small_is_refused(customers, accounts):
    with pytest.raises(ValueError, match="three customers"):
        Size(customers=customers, accounts=accounts)
