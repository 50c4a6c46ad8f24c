"""The seeded bugs: each is a real mistake that somebody could make, as a patch of one or two modules of the product.

reference: the list in reliability 4.5, and our own. `mutation.py` says how many of them the checker finds.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

Patch = Callable[[Any], None]


@dataclass(frozen=True)
class Bug:
    """What is wrong, and the patches by module."""

    text: str
    patches: Mapping[str, Patch]


def _set(path: str, value: Any) -> Patch:
    """Replace `Class.method` or a function of the module."""

    def patch(module: Any) -> None:
        owner_name, _, name = path.rpartition(".")
        owner = getattr(module, owner_name) if owner_name else module
        assert hasattr(owner, name), f"{path} is gone from {module.__name__}"
        setattr(owner, name, value)

    return patch


def _around(path: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Patch:
    """Replace it by something that is made from the original."""

    def patch(module: Any) -> None:
        owner_name, _, name = path.rpartition(".")
        owner = getattr(module, owner_name) if owner_name else module
        setattr(owner, name, make(getattr(owner, name)))

    return patch


def _both(*patches: Patch) -> Patch:
    def patch(module: Any) -> None:
        for one in patches:
            one(module)

    return patch


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _nothing_done(*_: Any, **__: Any) -> str:
    return "done"


# -- streams


def _confirm_what_was_received(original: Any) -> Any:
    def tell(self: Any, durable: int, *, now: bool = False) -> None:
        original(self, max(durable, self._received), now=now)

    return tell


def _skip_ahead(original: Any) -> Any:
    def init(self: Any, expected: Any) -> None:
        import dataclasses

        original(self, dataclasses.replace(expected, checkpoint=expected.checkpoint + 4000))

    return init


def _row_by_row(original: Any) -> Any:
    def do_changes(self: Any, part: Any, ending: Any) -> bool:
        from cdc.streaming.batch import Part

        for change in part.changes:
            original(self, Part([change], part.layouts).prepare(), [])
            self._conn.execute("COMMIT")
            self._is_open = self._has_staged = False
            time.sleep(0.03)
        return False

    return do_changes


def _round_money(original: Any) -> Any:
    def ending(self: Any, end: Any) -> Any:
        from psycopg import sql

        from cdc.streaming.script import Step

        steps = original(self, end)
        if not self._session.stream.endswith("forward") or not self._rows:
            return steps
        update = "UPDATE account SET balance = round(balance, 1) WHERE balance <> round(balance, 1)"
        return [Step(sql.SQL(update)), *steps]

    return ending


def _lose_some(original: Any) -> Any:
    count = itertools.count(1)

    def do_changes(self: Any, part: Any, ending: Any) -> bool:
        return next(count) % 40 != 0 and bool(original(self, part, ending))

    return do_changes


# -- runbook


def _marker_first(module: Any) -> None:
    original = module.raise_fence

    def raise_fence(conn: Any, tables: Any, marker: Any, seconds: float) -> None:
        if marker is not None:
            with conn.transaction():
                module.emit_marker(conn, marker.stream, marker.id, marker.mode)
        time.sleep(0.05)
        original(conn, tables, None, seconds)

    module.raise_fence = raise_fence


def _first_table_alone(original: Any) -> Any:
    def switch(conn: Any, tables: Any, *, is_on: bool) -> None:
        original(conn, tables[:1] if is_on else tables, is_on=is_on)

    return switch


def _never_on(original: Any) -> Any:
    def switch(conn: Any, tables: Any, *, is_on: bool) -> None:
        if not is_on:
            original(conn, tables, is_on=is_on)

    return switch


def _skip_for_ever(original: Any) -> Any:
    def emit(conn: Any, stream: str, marker: str, mode: Any) -> None:
        original(conn, stream, marker, "skip" if mode == "apply" else mode)

    return emit


def _apply_for_ever(original: Any) -> Any:
    def emit(conn: Any, stream: str, marker: str, mode: Any) -> None:
        original(conn, stream, marker, None if mode == "skip" else mode)

    return emit


def _commit_silently(self: Any, evidence: str) -> None:
    with self._page() as page:
        self._set(page, {"status": "committed"})


def _always_genesis(original: Any) -> Any:
    def append(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.newest = (self.newest[0], "0" * 64)
        return original(self, *args, **kwargs)

    return append


def _take_any_lease(module: Any) -> None:
    module.has_died = lambda *_: True
    module.renew = _nothing


def _stage_early(original: Any) -> Any:
    def run(self: Any) -> str:
        from runbook.steps import StageWritten

        said: str = original(self)
        StageWritten(self.ground).run()
        return said

    return run


def _undo_what_is_committed(module: Any) -> None:
    original = module._resolve

    def resolve(desk: Any, lease: Any, left: Any, watch: Any) -> Any:
        import dataclasses

        return original(desk, lease, dataclasses.replace(left, status="open"), watch)

    module._resolve = resolve


def _release_first(original: Any) -> Any:
    def steps_for(ground: Any, record: Any = None) -> Any:
        import dataclasses

        steps = original(ground, record)
        return dataclasses.replace(steps, after=[*reversed(steps.after)])

    return steps_for


def _answered_already(_: Any, digest: Any, *__: Any) -> Any:
    return SimpleNamespace(digest=digest(), silent=(), words="not waited for")


def _no_hold(module: Any) -> None:
    module.Held.run = lambda self: (self.ground.budget.start(), "held")[1]
    module.Held.is_done = lambda self: True


# -- gateway


def _pretend_to_hold(module: Any) -> None:
    module.Hold.begin = lambda self, *_: setattr(self, "_until", 1e18)
    module.Hold.report = lambda self: {"holding": True, "cut_off": False, "held": 0, "in_flight": 0, "expires_in": 1.0}


def _refuse_the_held(original: Any) -> Any:
    def let_go(self: Any) -> None:
        self.hold = None
        self._refuse("hold_full")

    return let_go


def _repeat_writes(module: Any) -> None:
    """The body is kept while it is sent, and goes once more over a new connection with the same head."""
    exchange = module.Exchange
    kept: dict[int, list[bytes]] = {}
    connected, send_body, answer_failed = exchange.connected, exchange.send_body, exchange.answer_failed

    def connected_and_kept(self: Any, connection: Any, *, reused: bool) -> None:
        if self.attempts == 1:
            kept[id(self)] = []
        connected(self, connection, reused=reused)

    def sent_and_kept(self: Any, connection: Any, data: bytes) -> None:
        if self.attempts == 1:
            kept[id(self)].append(data)
        send_body(self, connection, data)

    def failed_once(self: Any, reason: str, *, answered: bool) -> None:
        if answered or self.attempts > 1 or self.state == module.ANSWERING or not self.body_done:
            answer_failed(self, reason, answered=answered)
            return
        self.connection, self.early = None, kept.pop(id(self))
        self._acquire(fresh=True)

    exchange.connected, exchange.send_body, exchange.answer_failed = connected_and_kept, sent_and_kept, failed_once


# -- the two systems


def _answer_late(original: Any) -> Any:
    kept: list[Any] = []

    async def find_account(*asked: Any) -> Any:
        kept.append(await original(*asked))
        return kept.pop(0) if len(kept) > 3 else kept[0]

    return find_account


def _credit_nobody(module: Any) -> None:
    original = module.move

    def move(payer: Any, payee: Any, amount: Any, reference: str, text: Any) -> Any:
        before = payee.balance
        legs = original(payer, payee, amount, reference, text)
        payee.balance = before
        return legs

    module.move = move


def _refuse_what_was_posted(original: Any) -> Any:
    count = itertools.count(1)

    async def post(connections: Any, order: Any) -> Any:
        from legacy_adapter import wire

        posted = await original(connections, order)
        if not isinstance(posted, wire.Refused) and next(count) % 25 == 0:
            return wire.Refused(wire.NO_FUNDS, order.reference)
        return posted

    return post


def _always_rolled_back(original: Any) -> Any:
    async def once(connections: Any, work: Any, *, is_dry: bool) -> Any:
        async with connections.take() as connection, connection.transaction(force_rollback=True):
            return await work(connection)

    return once


def _nothing_differs(original: Any) -> Any:
    def verify(*args: Any, **kwargs: Any) -> Any:
        import dataclasses

        return dataclasses.replace(original(*args, **kwargs), differences=0)

    return verify


BUGS: dict[str, Bug] = {
    "acknowledge before commit": Bug(
        "a stream confirms what it received, not what is durable in the target",
        {"cdc.streaming.stream": _around("ReplicationStream.tell", _confirm_what_was_received)},
    ),
    "resume too far": Bug(
        "after a restart a stream goes on behind its checkpoint",
        {"cdc.streaming.transactions": _around("Transactions.__init__", _skip_ahead)},
    ),
    "apply is not atomic": Bug(
        "the rows of a transaction are committed one by one",
        {"cdc.streaming.apply": _around("Applier._do_changes", _row_by_row)},
    ),
    "money is rounded": Bug(
        "balances lose their last digit", {"cdc.streaming.apply": _around("Applier._ending", _round_money)}
    ),
    "changes are lost": Bug(
        "one part in forty is not applied", {"cdc.streaming.apply": _around("Applier._do_changes", _lose_some)}
    ),
    "no origin filter": Bug(
        "a stream carries what the other stream wrote",
        {"cdc.streaming.transactions": _set("Transactions._origin", _nothing)},
    ),
    "a lost slot is not noticed": Bug(
        "a stream starts from any slot", {"cdc.streaming.slots": _set("check_start", _nothing)}
    ),
    "verify finds nothing": Bug(
        "differences are counted as none", {"cdc.verification.verify": _around("_Table.verify", _nothing_differs)}
    ),
    "no fence": Bug("the fence is never raised", {"cdc.fence": _around("_switch_all", _never_on)}),
    "fence on one table": Bug(
        "only the first table is fenced", {"cdc.fence": _around("_switch_all", _first_table_alone)}
    ),
    "marker before fence, no hold": Bug(
        "the marker is written before the last writers have ended",
        {"cdc.fence": _marker_first, "runbook.cutover": _both(_no_hold, _set("SpotVerified.run", _nothing_done))},
    ),
    "no drain": Bug(
        "the cutover waits for no marker and compares nothing",
        {"runbook.cutover": _both(_set("Drained.is_done", lambda self: True), _set("SpotVerified.run", _nothing_done))},
    ),
    "the way back stays off": Bug(
        "the reverse stream is never told to apply", {"cdc.state": _around("emit_marker", _skip_for_ever)}
    ),
    "the way on stays on": Bug(
        "the old stream is never told to skip", {"cdc.state": _around("emit_marker", _apply_for_ever)}
    ),
    "undo leaves the fence": Bug("the fence stays up", {"runbook.cutover": _set("Fenced.undo", _nothing)}),
    "release is forgotten": Bug(
        "held writes wait until the hold ends by itself", {"runbook.cutover": _set("Released.run", _nothing_done)}
    ),
    "sequences stay low": Bug(
        "the new home gives out numbers that are used", {"runbook.cutover": _set("SequencesRaised.run", _nothing_done)}
    ),
    "commit without journal": Bug(
        "the point of no return is not in the journal", {"runbook.runs": _set("RunRecord.commit", _commit_silently)}
    ),
    "the commit is forgotten": Bug(
        "a run does not know that it is past the point of no return",
        {"runbook.runs": _set("RunRecord.is_committed", lambda self: False)},
    ),
    "a committed run is undone": Bug("recovery undoes everything", {"runbook.advance": _undo_what_is_committed}),
    "stage before the point of no return": Bug(
        "routes.yaml is written while everything may still be undone",
        {"runbook.cutover": _around("Fenced.run", _stage_early)},
    ),
    "release before reverse": Bug(
        "held writes go to a home that is still fenced", {"runbook.cutover": _around("steps_for", _release_first)}
    ),
    "no acknowledgement of the table": Bug(
        "the release does not wait for the gateways",
        {"runbook.gateways": _set("Gateways.wait_for_those_that_answer", _answered_already)},
    ),
    "no head": Bug("the journal's head is not written", {"runbook.journal": _set("_write_head", _nothing)}),
    "no chain": Bug(
        "entries do not follow one another",
        {"runbook.journal": _both(_around("Page.append", _always_genesis), _set("Journal.must_be_whole", _nothing))},
    ),
    "a broken journal is used": Bug(
        "nobody looks at the chain before a run", {"runbook.journal": _set("Journal.must_be_whole", _nothing)}
    ),
    "no lease": Bug(
        "everybody may run, and no generation fences anybody out",
        {"runbook.lease": _take_any_lease},
    ),
    "the gateway does not hold": Bug("a hold is reported and not made", {"gateway.hold": _pretend_to_hold}),
    "held writes are refused": Bug(
        "the release answers 503", {"gateway.exchange": _around("Exchange.let_go", _refuse_the_held)}
    ),
    "a write is sent twice": Bug("a write whose connection broke is repeated", {"gateway.exchange": _repeat_writes}),
    "always fresh": Bug(
        "who has just written is served by modern", {"gateway.freshness": _set("Freshness.is_fresh", lambda *_: True)}
    ),
    "another's answer": Bug(
        "answers come one request late", {"legacy_adapter.monolith.accounts": _around("find_account", _answer_late)}
    ),
    "money vanishes": Bug("the payee's balance is not changed", {"legacy_adapter.monolith.postings": _credit_nobody}),
    "posted and refused": Bug(
        "a transfer is posted and answered with a refusal",
        {"legacy_adapter.monolith.accounts": _around("post_transfer", _refuse_what_was_posted)},
    ),
    "acknowledged and rolled back": Bug(
        "the ledger answers before it commits, and then does not",
        {"services.ledger.dry_run": _around("_once", _always_rolled_back)},
    ),
}
