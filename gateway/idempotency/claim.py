"""One request under an Idempotency-Key: claimed, then watched, and its answer kept before the client has the last byte.

    ASKED     the store is asked; the exchange waits in CLAIMING
    OURS      the key is ours: the request goes its way, and what passes by is noted
    COMPARED  the key has an answer: the exchange reads the request to its end, to see whether it is the same one
    STORING   the answer is complete and being stored; the client gets its last bytes when it is
    OVER      nothing more to do

It stands in the exchange's place for a witness (`Exchange.shot`), so that a request without a key pays nothing for it,
and passes what it sees on to a mirrored request, if there is one.
"""

from __future__ import annotations

import asyncio
import os
from itertools import count
from os import urandom
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import structlog

from config.control_database import control_url
from config.errors import DatabaseDown
from config.match import parse_match
from config.model import Idempotency, Routes
from gateway.carriage import ANSWERING, CLAIMING, REPLAYING, Block
from gateway.idempotency.keeper import Keeper, Told
from gateway.idempotency.rules import (
    Fingerprint,
    Kept,
    Record,
    State,
    digest_of,
    key_of,
    mismatch_of,
    packed,
    refusal_of,
    unpacked,
    was_not_done,
)
from gateway.idempotency.seal import Sealer, sealer
from gateway.idempotency.store import Operation, Outcome, Store
from gateway.routing.conditions import field
from gateway.routing.keys import KeyReader, compile_key
from gateway.wire import headers
from gateway.wire.headers import Fields

if TYPE_CHECKING:
    from gateway.exchange import Exchange
    from gateway.mirroring.shot import Shot

ASKED, OURS, COMPARED, STORING, OVER = range(5)
REPLAYED: Final = (b"Idempotent-Replayed", b"true")
_OF_THE_CONNECTION: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"trailer"})
log = structlog.get_logger()


class Answers:
    """The idempotency of one worker: which requests it is about, where their answers are kept."""

    def __init__(self, settings: Idempotency, keeper: Keeper, sealer: Sealer) -> None:
        self.settings = settings
        self.keeper = keeper
        self.sealer = sealer
        self.run = urandom(8).hex()
        self.numbers = count(1)
        self._scope: KeyReader | None = None
        if settings.scope is not None:
            kind, _, name = settings.scope.partition(":")
            self._scope = compile_key(kind, name, parse_match("* /"))

    def claim(self, exchange: Exchange) -> bool:
        """Under a key nothing is sent before the key is its own: the exchange waits. False where there is none."""
        try:
            key = None if exchange.is_websocket else key_of(exchange.fields)
        except ValueError:
            exchange.state = CLAIMING
            self.keeper.soon(lambda _: exchange.claimed("idempotency_key_invalid"), None)
            return True
        if key is None:
            return False
        scope = self._scope(exchange, exchange.segments) if self._scope is not None else None
        # Whose answer it is: without a scope only who shows the same credentials may see it.
        shown = b"" if scope is not None else field(exchange, b"authorization") or b""
        exchange.state = CLAIMING
        exchange.shot = claim = Claim(
            self, exchange, digest_of(scope or b"", key), digest_of(shown, exchange.peer.identity)
        )
        claim.ask()
        return True


def open_answers(routes: Routes, run: Path) -> Answers | None:
    """What routes.yaml asks for, running; `run` is the runtime directory. Raises SealKeysUnusable, DatabaseDown."""
    settings = routes.gateway.idempotency
    if settings is None:
        return None
    opener = sealer()
    store = Store(control_url(routes, run), f"{os.getpid()}-{urandom(8).hex()}", settings.keep)
    keeper = Keeper(store, asyncio.get_running_loop())
    keeper.start()
    return Answers(settings, keeper, opener)


class Claim:
    """One key, one request."""

    __slots__ = ("_answers", "_body", "_caller", "_claim", "_exchange", "_fields", "_id", "_kept", "_print",
                 "_reason", "_room", "_shot", "_state", "_status")  # fmt: skip

    def __init__(self, answers: Answers, exchange: Exchange, identity: bytes, caller: bytes) -> None:
        self._answers = answers
        self._exchange = exchange
        self._id = identity
        self._caller = caller
        self._claim = f"{answers.run}-{next(answers.numbers)}"
        self._print = Fingerprint(exchange.method, exchange.facts.get(headers.HOST, b""), exchange.target)
        for data in exchange.early:
            self._print.body(data)
        self._shot: Shot | None = None
        self._state = ASKED
        self._kept: Kept | None = None
        self._status = 0
        self._reason: bytes | None = None
        self._fields: Fields = []
        self._body: list[bytes] = []
        self._room = answers.settings.answer_max

    # Whose the key is.

    def ask(self) -> None:
        """Ask the store; the answer comes later, never from here."""
        if not self._answers.keeper.do(Operation("claim", self._id.hex(), self._claim), self._asked):
            self._answers.keeper.soon(self._asked, DatabaseDown("control", "it is left alone for a moment"))

    def _asked(self, outcome: Outcome | DatabaseDown) -> None:
        if self._state == OVER:  # the client has gone
            if outcome is None:
                self._do("release", lambda _: None)
        elif isinstance(outcome, DatabaseDown):
            self._unavailable()
        elif outcome is None:
            self._count("begun")
            self._state = OURS
            self._exchange.claimed(None)
        else:
            self._taken(outcome)

    def _unavailable(self) -> None:
        self._state = OVER
        if self._answers.settings.when_down == "pass":
            self._count("passed")
            self._exchange.claimed(None)
        else:
            self._refuse("idempotency_unavailable")

    def _taken(self, record: Record) -> None:
        reason = refusal_of(record)
        if reason is not None:
            self._refuse(reason)
            return
        opened = self._answers.sealer.open(record.sealed or b"", self._id)
        try:
            self._kept = unpacked(opened or b"")
        except msgspec.MsgspecError:
            log.warning("idempotency.unreadable", reason="sealed under a key that this gateway does not have")
            self._refuse("idempotency_answer_gone")
            return
        self._state = COMPARED
        exchange = self._exchange
        exchange.state = REPLAYING
        exchange.early.clear()
        if exchange.body_done:
            self._compare(self._kept)
            return
        exchange.go_ahead()
        if exchange.downstream is not None:
            exchange.downstream.unblock(Block.WAITING)

    def _compare(self, kept: Kept) -> None:
        reason = mismatch_of(kept, self._caller, self._print.digest())
        if reason is not None:
            self._refuse(reason)
            return
        self._count("replayed")
        self._state = OVER
        body = kept.body or b""
        fields = [*kept.fields, REPLAYED]
        if not any(name.lower() == b"content-length" for name, _ in fields):
            fields.append((b"Content-Length", b"%d" % len(body)))
        self._exchange.replay(kept.status, kept.reason, fields, body)

    def _refuse(self, reason: str) -> None:
        self._count(reason.removeprefix("idempotency_"))
        self._state = OVER
        self._exchange.claimed(reason)

    # What the exchange tells.

    def beside(self, shot: Shot) -> Claim:
        """A mirrored request watches too."""
        self._shot = shot
        return self

    def control_sent(self) -> None:
        """The request is on its way."""
        if self._shot is not None:
            self._shot.control_sent()

    def request_body(self, data: bytes) -> None:
        """A piece of the request's body."""
        self._print.body(data)
        if self._shot is not None:
            self._shot.request_body(data)

    def request_end(self) -> None:
        """The request is complete."""
        if self._kept is not None and self._state == COMPARED:
            self._compare(self._kept)
        elif self._shot is not None:
            self._shot.request_end()

    def control_head(self, status: int, fields: Fields) -> None:
        """The answer begins."""
        self._status = status
        self._fields = fields
        connection = self._exchange.connection
        self._reason = connection.reason if connection is not None else None
        if self._shot is not None:
            self._shot.control_head(status, fields)

    def control_body(self, data: bytes) -> None:
        """A piece of the answer; past the bound only that there was an answer is kept."""
        self._room -= len(data)
        if self._room >= 0:
            self._body.append(data)
        else:
            self._body.clear()
        if self._shot is not None:
            self._shot.control_body(data)

    def control_end(self, now: float) -> bool:
        """The answer is complete. True: its last bytes wait until `answer_stored`."""
        if self._shot is not None:
            self._shot.control_end(now)
        if self._state != OURS:
            return False
        self._state = STORING
        if was_not_done(self._status, (name for name, _ in self._fields)):
            self._do("release", self._stored)
        else:
            # Answered before the whole request had come: it cannot be told from another one.
            self._do("finish", self._stored, "answered" if self._exchange.body_done else "unknown")
        return True

    def control_failed(self, *, client_left: bool = False) -> None:
        """There is no complete answer: the key is free again if nothing was done, else the outcome is unknown."""
        if self._shot is not None:
            self._shot.control_failed(client_left=client_left)
        exchange = self._exchange
        if self._state == OURS:
            was_complete = exchange.is_sent and (exchange.body_done or exchange.state == ANSWERING)
            self._do("finish" if was_complete else "release", lambda _: None)
        if self._state != STORING:
            self._state = OVER

    def _do(self, kind: Literal["finish", "release"], told: Told, state: State = "unknown") -> None:
        sealed = self._sealed() if kind == "finish" else None
        self._answers.keeper.do(Operation(kind, self._id.hex(), self._claim, state, sealed), told)

    def _sealed(self) -> bytes:
        body = b"".join(self._body) if self._room >= 0 else None
        fields = [pair for pair in self._fields if pair[0].lower() not in _OF_THE_CONNECTION]
        kept = Kept(self._caller, self._print.digest(), self._status, self._reason, fields, body)
        return self._answers.sealer.seal(packed(kept), self._id)

    def _stored(self, outcome: Outcome | DatabaseDown) -> None:
        if isinstance(outcome, DatabaseDown):
            self._count("not_stored")
        self._state = OVER
        self._exchange.answer_stored()

    def _count(self, what: str) -> None:
        self._answers.keeper.counts[what] += 1
