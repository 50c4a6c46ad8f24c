"""What the gateway tells the comparer: pairs of answers, and every request that did not become a pair.

One tagged union, `Event`, in msgpack. A request that is eligible for comparison is part of exactly one event in the
end, so that the accounting adds up (`shadow/accounting.py`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from config.errors import StranglerError

Side = Literal["legacy", "modern"]
Headers = tuple[tuple[str, str], ...]


class Observation(msgspec.Struct, frozen=True, gc=False):
    """One side's answer. `seconds` is the time from the dispatch of the request to the last byte of the answer."""

    status: int
    headers: Headers
    body: bytes
    seconds: float
    side: Side


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A read that may be asked again: its target, and the fields that decide what is answered and to whom it is routed;
    never a body, a cookie or what lets somebody in."""

    target: str
    headers: Headers


class Pair(msgspec.Struct, frozen=True, tag="pair", gc=False):
    """Two answers to one request: the control went to the client.

    `key` is the canary key, already hashed by the gateway; without one the pair is not evidence of its own (the gate
    counts all such pairs of a route as one key). `again` is a second look at both sides after a short delay, taken
    where the first look differed on a safe read. `asked` is there where the route keeps reads to be replayed.
    """

    route: str
    capability: str
    key: str | None
    method: str
    control: Observation
    candidate: Observation
    candidate_first: bool
    stage: str
    at: float
    again: tuple[Observation, Observation] | None = None
    asked: Asked | None = None


class Agreed(msgspec.Struct, frozen=True, tag="agreed", gc=False):
    """Pairs of one route with one status that were found equal byte for byte where they were seen, in one batch.

    `keys` are the distinct ones among them, `keyless` counts the pairs without one. `seconds` holds two numbers for
    each pair, the control's first; the control went first in all of them.
    """

    route: str
    capability: str
    side: Side  # of the control
    status: int
    keys: tuple[str, ...]
    keyless: int
    seconds: tuple[float, ...]
    at: float

    @property
    def count(self) -> int:
        """How many pairs."""
        return len(self.seconds) // 2


class Skipped(msgspec.Struct, frozen=True, tag="skipped", gc=False):
    """`count` eligible requests that were deliberately not mirrored or not compared, such as a body too large."""

    route: str
    capability: str
    reason: str
    count: int = 1
    at: float = 0.0


class Dropped(msgspec.Struct, frozen=True, tag="dropped", gc=False):
    """`count` eligible requests that were lost to a bound: a full queue, a deadline at shutdown."""

    route: str
    capability: str
    reason: str
    count: int = 1
    at: float = 0.0


class Errored(msgspec.Struct, frozen=True, tag="errored", gc=False):
    """`count` eligible requests where one side gave no complete answer."""

    route: str
    capability: str
    side: Side
    count: int = 1
    at: float = 0.0


class Noise(msgspec.Struct, frozen=True, tag="noise", gc=False):
    """Two answers of legacy to the same safe read, one right after the other. It is about no request of its own, so it
    counts nothing."""

    route: str
    capability: str
    first: Observation
    again: Observation
    at: float
    count: int = 0


Event = Pair | Noise | Agreed | Skipped | Dropped | Errored

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


class FrameInvalid(StranglerError):
    """Bytes that are not an event: the sender and the comparer are of different versions, or the frame is damaged."""

    @property
    def sentence(self) -> str:
        """That a frame could not be read; never what was in it."""
        return "A frame on the comparer's socket is not an event."

    @property
    def hint(self) -> str:
        """Both ends must be of one version."""
        return "Restart the gateway, so that its workers and the comparer are of one version."


def encode(event: Event) -> bytes:
    """The event as msgpack, without a length in front."""
    return _encoder.encode(event)


def decode(frame: bytes) -> Event:
    """The event in one frame. Raises FrameInvalid."""
    try:
        return _decoder.decode(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FrameInvalid from error
