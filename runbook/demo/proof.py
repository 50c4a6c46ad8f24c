"""What the demo claims, checked against the clients' histories and both databases; pure once the facts are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import psycopg

from runbook.demo.operation import Operation

NAMED_MAX = 5
Leg = tuple[str, str, Decimal]  # account, D or C, amount


@dataclass(frozen=True)
class Check:
    """One claim: whether it holds, and the evidence; the first things that are wrong are named."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Books:
    """One side's truth: the postings of every reference and the money in each currency."""

    side: str
    legs: Mapping[str, Counter[Leg]]
    money: Mapping[str, Decimal]
    unbalanced: tuple[str, ...]
    drifted: tuple[str, ...]  # accounts whose balance is not that of their last posting


def read_legacy(url: str) -> Books:
    """The monolith's books."""
    return _read(
        "legacy",
        url,
        "SELECT trn_ref, trim(acct_no), drcr, amt FROM trnhist",
        "SELECT trim(ccy), sum(bal_amt) FROM acctmast GROUP BY 1",
        "SELECT trim(acct_no) FROM acctmast LEFT JOIN (SELECT DISTINCT ON (acct_no) acct_no, bal_aft FROM trnhist "
        "ORDER BY acct_no, trn_dt DESC, trn_seq DESC) AS last USING (acct_no) WHERE bal_amt <> coalesce(bal_aft, 0)",
    )


def read_modern(url: str) -> Books:
    """The ledger's books."""
    return _read(
        "modern",
        url,
        "SELECT reference, trim(account_id), direction, amount FROM posting",
        "SELECT trim(currency), sum(balance) FROM account GROUP BY 1",
        "SELECT trim(account_id) FROM account LEFT JOIN (SELECT DISTINCT ON (account_id) account_id, balance_after "
        "FROM posting ORDER BY account_id, booked_on DESC, sequence DESC) AS last USING (account_id) "
        "WHERE balance <> coalesce(balance_after, 0)",
    )


def _read(side: str, url: str, postings: str, money: str, drifted: str) -> Books:
    legs: dict[str, Counter[Leg]] = {}
    with psycopg.connect(url) as connection:
        for reference, account, direction, amount in connection.execute(postings):
            legs.setdefault(reference, Counter())[account, direction, amount] += 1
        totals: dict[str, Decimal] = dict(connection.execute(money).fetchall())
        wrong = tuple(row[0] for row in connection.execute(drifted))
    unbalanced = tuple(reference for reference, found in legs.items() if _balance(found) != 0)
    return Books(side, legs, totals, unbalanced, wrong)


def _balance(legs: Counter[Leg]) -> Decimal:
    return sum((amount * number * (1 if drcr == "C" else -1) for (_, drcr, amount), number in legs.items()), Decimal(0))


def check_requests(history: Sequence[Operation]) -> Check:
    """No request failed and none was left without a known outcome."""
    wrong = [one for one in history if one.outcome in ("failed", "unknown")]
    named = [f"{one.reference or one.account} ({one.kind}: {one.detail})" for one in wrong]
    return Check("no request failed", not wrong, _evidence(f"{len(history):,} requests", "failed", named))


def check_transfers(history: Sequence[Operation], books: Books) -> tuple[Check, ...]:
    """Every acknowledged transfer is on that side exactly once, with both legs; no refused one is there."""
    lost, doubled = [], []
    acknowledged = [one for one in history if one.kind == "transfer" and one.outcome == "ok"]
    for one in acknowledged:
        amount = Decimal(one.amount)
        expected = Counter({(one.account, "D", amount): 1, (one.payee, "C", amount): 1})
        found = books.legs.get(one.reference, Counter())
        if expected - found:
            lost.append(f"{one.reference} of account {one.account}")
        if found - expected:
            doubled.append(f"{one.reference} of account {one.account}")
    posted = (one for one in history if one.outcome == "refused" and one.reference in books.legs)
    phantom = [f"{one.reference} of account {one.account}" for one in posted]
    count = f"{len(acknowledged):,} acknowledged transfers"
    refused = f"{sum(one.outcome == 'refused' for one in history):,} refused transfers"
    return (
        Check(f"nothing lost on {books.side}", not lost, _evidence(count, "lost", lost)),
        Check(f"nothing doubled on {books.side}", not doubled, _evidence(count, "doubled", doubled)),
        Check(f"nothing refused was posted on {books.side}", not phantom, _evidence(refused, "posted", phantom)),
    )


def check_money(books: Books, at_start: Mapping[str, Decimal]) -> tuple[Check, ...]:
    """The sum of all balances is what it was at the start, debits equal credits, balances follow their postings."""
    currencies = sorted(set(at_start) | set(books.money))
    moved = [
        f"{currency}: {books.money.get(currency, Decimal(0)) - at_start.get(currency, Decimal(0)):+}"
        for currency in currencies
        if books.money.get(currency) != at_start.get(currency)
    ]
    return (
        Check(f"money conserved on {books.side}", not moved, _evidence(" ".join(currencies), "moved", moved)),
        Check(
            f"debits equal credits on {books.side}",
            not books.unbalanced,
            _evidence(f"{len(books.legs):,} references", "unbalanced", books.unbalanced),
        ),
        Check(
            f"balances follow their postings on {books.side}",
            not books.drifted,
            _evidence("every account", "that do not", [f"account {account}" for account in books.drifted]),
        ),
    )


def check_own_writes(history: Sequence[Operation]) -> Check:
    """Whoever read after writing saw the write, whichever side answered."""
    reads = [one for one in history if one.kind == "read own writes" and one.outcome == "ok"]
    stale = [f"{one.reference} of account {one.account}" for one in reads if one.detail]
    return Check("read-your-writes never broken", not stale, _evidence(f"{len(reads):,} such reads", "stale", stale))


@dataclass(frozen=True)
class Pause:
    """How long clients waited for a write around one cutover: each client's longest wait, in milliseconds."""

    name: str
    longest_ms: tuple[float, ...]

    @property
    def p99_ms(self) -> float:
        """The 99th percentile over the clients (with 20 clients: the longest of them)."""
        ordered = sorted(self.longest_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else 0.0

    @property
    def median_ms(self) -> float:
        """The client in the middle."""
        return sorted(self.longest_ms)[len(self.longest_ms) // 2] if self.longest_ms else 0.0


def measure_pause(name: str, history: Iterable[Operation], began: float, ended: float) -> Pause:
    """Each client's longest write that was under way at some time between `began` and `ended`."""
    longest: dict[int, float] = {}
    for one in history:
        if one.writes and one.began < ended and one.began + one.seconds > began:
            longest[one.client] = max(longest.get(one.client, 0.0), one.seconds * 1000)
    return Pause(name, tuple(longest.values()))


def check_pause(pause: Pause, limit_ms: float) -> Check:
    """The pause of writes that clients saw stays under the limit."""
    seen = f"{len(pause.longest_ms)} clients, median {pause.median_ms:.0f} ms, p99 {pause.p99_ms:.0f} ms"
    return Check(f"pause of the {pause.name} under {limit_ms:.0f} ms", pause.p99_ms < limit_ms, seen)


def _evidence(count: str, wrong: str, named: Sequence[str]) -> str:
    if not named:
        return f"{count}, 0 {wrong}"
    more = f" and {len(named) - NAMED_MAX} more" if len(named) > NAMED_MAX else ""
    return f"{count}, {len(named)} {wrong}: {'; '.join(named[:NAMED_MAX])}{more}"
