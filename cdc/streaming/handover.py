"""The bounded queue between the thread that reads and the thread that applies, and the signs between them."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from contextlib import suppress

from cdc.streaming.batch import Part
from cdc.streaming.stream_errors import StreamError

PARTS_MAX = 3


class Handover:
    """The reader offers parts and looks at `durable`; the applier takes them and says what it has done."""

    def __init__(self, durable: int) -> None:
        self.durable = durable  # written by the applier, confirmed by the reader
        self.error: BaseException | None = None  # why the reader ended, if not in order
        self._condition = threading.Condition()
        self._parts: deque[Part] = deque()
        self._is_applying = self._is_closed = self._is_over = False
        self.wakes, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self.wakes, False)

    @property
    def is_idle(self) -> bool:
        """Nothing waits and nothing is being applied."""
        return not self._parts and not self._is_applying

    @property
    def is_over(self) -> bool:
        """The applier takes no more."""
        return self._is_over

    def offer(self, part: Part) -> bool:
        """Hand over a part; false where the queue is full."""
        with self._condition:
            if len(self._parts) >= PARTS_MAX:
                return False
            self._parts.append(part)
            self._condition.notify_all()
            return True

    def close(self, error: BaseException | None = None) -> None:
        """No more parts will come; those that wait are dropped where a connection broke: they are sent again."""
        with self._condition:
            self._is_closed = True
            self.error = error
            if error is not None and not isinstance(error, StreamError):
                self._parts.clear()
            self._condition.notify_all()

    def take(self, seconds: float) -> Part | None:
        """The next part, or None after that time; also None when no more will come: look at `is_drained`."""
        with self._condition:
            self._condition.wait_for(lambda: self._parts or self._is_closed, seconds)
            if not self._parts:
                return None
            self._is_applying = True
            part = self._parts.popleft()
        self.wake()
        return part

    @property
    def is_drained(self) -> bool:
        """The reader has closed and everything was taken."""
        return self._is_closed and not self._parts

    def done(self, durable: int) -> None:
        """The part that was taken has been applied; what is durable may be confirmed."""
        self.durable = max(self.durable, durable)
        self._is_applying = False
        self.wake()

    def finish(self) -> None:
        """The applier takes no more, in order or not."""
        self._is_over = True
        self.wake()

    def wake(self) -> None:
        """Let the reader look around."""
        with suppress(BlockingIOError):
            os.write(self._wake, b".")

    def wait_for_sign(self, seconds: float) -> None:
        """Wait until the applier has taken or done something, or that long."""
        select.select([self.wakes], [], [], seconds)
        self.woken()

    def woken(self) -> None:
        """Forget the signs that were given so far."""
        with suppress(BlockingIOError):
            os.read(self.wakes, 4096)

    def release(self) -> None:
        """Close the descriptors, when both threads have ended."""
        os.close(self.wakes)
        os.close(self._wake)
