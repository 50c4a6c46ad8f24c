"""One operation of a client as it is written to the history, and the histories read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

Kind = Literal["read", "transfer", "refused transfer", "read own writes"]
Outcome = Literal["ok", "refused", "failed", "unknown"]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked and what it got. `outcome` is `unknown` where a transfer may or may not have been posted.

    `began` is time.monotonic of this machine, so that operations line up with the stages of the run.
    """

    kind: Kind
    client: int
    account: str
    reference: str = ""
    payee: str = ""
    amount: str = ""
    began: float
    seconds: float
    outcome: Outcome
    detail: str = ""

    @property
    def writes(self) -> bool:
        """Whether it asked for a transfer."""
        return self.kind in ("transfer", "refused transfer")


def read_history(path: Path) -> Iterator[Operation]:
    """Every complete line of a history; a line that was cut off by a kill ends it."""
    decode = msgspec.json.Decoder(Operation).decode
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield decode(line)
