from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any

from config.errors import DatabaseDown
from gateway.idempotency import keeper as module
from gateway.idempotency.keeper import Keeper
from gateway.idempotency.store import Operation, Outcome

CLAIM = Operation("claim", "k", "a")


class FakeStore:
    """A store that can be stopped and broken, and says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Operation] = []
        self.batches = 0
        self.is_down = False
        self.let_go = threading.Event()
        self.let_go.set()

    def apply(self, operations: Sequence[Operation], now: float) -> list[Outcome]:
        self.let_go.wait(5)
        self.batches += 1
        if self.is_down:
            raise DatabaseDown("control", "gone")
        self.asked += operations
        return [None] * len(operations)

    def renew(self, now: float) -> None:
        pass

    def purge(self, now: float) -> None:
        pass

    def close(self) -> None:
        pass


def run(story: Callable[[Keeper, FakeStore], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        store = FakeStore()
        keeper = Keeper(store, asyncio.get_running_loop())  # type: ignore[arg-type]
        keeper.start()
        await story(keeper, store)
        store.let_go.set()
        await asyncio.to_thread(keeper.close)
        assert not keeper.is_alive()

    asyncio.run(main())


async def done(keeper: Keeper, operation: Operation = CLAIM) -> Outcome | DatabaseDown:
    told: asyncio.Future[Outcome | DatabaseDown] = asyncio.get_running_loop().create_future()
    assert keeper.do(operation, told.set_result)
    return await asyncio.wait_for(told, 5)


def test_what_waits_shares_one_transaction() -> None:
    async def story(keeper: Keeper, store: FakeStore) -> None:
        store.let_go.clear()
        several = [asyncio.ensure_future(done(keeper)) for _ in range(20)]
        await asyncio.sleep(0)
        store.let_go.set()
        assert await asyncio.gather(*several) == [None] * 20
        assert store.batches < 20

    run(story)


def test_a_claim_that_comes_too_late_is_told_in_time_and_given_back() -> None:
    async def story(keeper: Keeper, store: FakeStore) -> None:
        store.let_go.clear()
        claiming = asyncio.ensure_future(done(keeper))
        await asyncio.sleep(0)
        keeper.sweep(monotonic() + module.WAIT_SECONDS_MAX + 1)
        assert isinstance(await claiming, DatabaseDown)
        store.let_go.set()
        await done(keeper, Operation("claim", "other", "b"))
        assert await done(keeper, Operation("claim", "third", "c")) is None
        assert Operation("release", "k", "a") in store.asked

    run(story)


def test_a_database_that_failed_is_left_alone_for_a_moment_and_outcomes_are_not_forgotten() -> None:
    async def story(keeper: Keeper, store: FakeStore) -> None:
        store.is_down = True
        finish = Operation("finish", "k", "a", "answered", b"x")
        assert isinstance(await done(keeper, finish), DatabaseDown)
        assert not keeper.do(CLAIM, lambda _: None), "a claim is refused at once"
        store.is_down = False
        await done(keeper, Operation("release", "other", "b"))
        assert store.asked == [finish, Operation("release", "other", "b")]
        assert await done(keeper) is None

    run(story)


def test_what_waits_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)

    async def story(keeper: Keeper, store: FakeStore) -> None:
        store.let_go.clear()
        assert [keeper.do(CLAIM, lambda _: None) for _ in range(5)] == [True] * 3 + [False] * 2
        assert keeper.do(Operation("release", "k", "a"), lambda _: None), "what became of a claim is always taken"

    run(story)
