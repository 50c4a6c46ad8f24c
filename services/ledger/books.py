"""Proves the books from their rows alone: control totals, and an audit of every rule that the postings must keep."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import psycopg

FINDINGS_MAX = 20

TOTALS = """
SELECT account.currency, count(DISTINCT account.account_id), count(posting.sequence),
       coalesce(sum(amount) FILTER (WHERE direction = 'D'), 0), coalesce(sum(amount) FILTER (WHERE direction = 'C'), 0)
FROM account LEFT JOIN posting USING (account_id) GROUP BY account.currency ORDER BY account.currency
"""
BALANCES = "SELECT currency, sum(balance) FROM account GROUP BY currency"
UNBALANCED = """
SELECT reference FROM posting JOIN account USING (account_id) GROUP BY reference, currency
HAVING sum(CASE direction WHEN 'C' THEN amount ELSE -amount END) <> 0 ORDER BY reference LIMIT %s
"""
UNEQUAL = """
SELECT account_id FROM account LEFT JOIN posting USING (account_id) GROUP BY account_id, balance
HAVING balance <> coalesce(sum(CASE direction WHEN 'C' THEN amount ELSE -amount END), 0) ORDER BY account_id LIMIT %s
"""
# Each posting leads from the balance before it to the balance after it. The postings of an account are one chain from
# zero to its balance exactly if every other amount is entered as often as it is left: true in whatever order they are
# numbered, and false as soon as one of two concurrent postings did not see the other.
BROKEN_CHAIN = """
SELECT DISTINCT account_id FROM (
    SELECT account_id, balance_after AS point, 1 AS times FROM posting
    UNION ALL
    SELECT account_id, balance_after - CASE direction WHEN 'C' THEN amount ELSE -amount END, -1 FROM posting
    UNION ALL SELECT account_id, 0, 1 FROM account
    UNION ALL SELECT account_id, balance, -1 FROM account
) AS step GROUP BY account_id, point HAVING sum(times) <> 0 ORDER BY account_id LIMIT %s
"""
RULES = {
    "debits and credits of the reference are not equal": UNBALANCED,
    "the balance is not the sum of the account's postings": UNEQUAL,
    "the postings do not lead from zero to the balance one after the other": BROKEN_CHAIN,
}


@dataclass(frozen=True)
class Total:
    """The control totals of one currency. In sound books debits equal credits and the balances add up to zero."""

    currency: str
    accounts: int
    postings: int
    debits: Decimal
    credits: Decimal
    balances: Decimal


@dataclass(frozen=True)
class Finding:
    """A rule that the books break, and where: references or account ids, at most FINDINGS_MAX of them."""

    rule: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """The state of the books at one moment."""

    totals: tuple[Total, ...]
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether every rule holds."""
        return not self.findings


def audit(connection: psycopg.Connection) -> Audit:
    """Look at all postings in one snapshot, whoever writes meanwhile. The connection must be outside a transaction."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        totals = _totals(connection)
        findings = [
            Finding(rule, tuple(str(row[0]) for row in connection.execute(query, (FINDINGS_MAX,))))
            for rule, query in RULES.items()
        ]
    uneven = tuple(total.currency for total in totals if total.debits != total.credits or total.balances != 0)
    findings.append(Finding("debits, credits and balances of the currency do not cancel out", uneven))
    return Audit(totals, tuple(finding for finding in findings if finding.keys))


def _totals(connection: psycopg.Connection) -> tuple[Total, ...]:
    balances: dict[str, Decimal] = dict(connection.execute(BALANCES).fetchall())
    return tuple(
        Total(currency, accounts, postings, debits, credits_, balances[currency])
        for currency, accounts, postings, debits, credits_ in connection.execute(TOTALS)
    )
