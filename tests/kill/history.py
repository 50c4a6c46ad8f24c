"""What clients wrote down: one line when an operation is invoked, one when its outcome is known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

Kind = Literal["transfer", "refused", "own", "read"]
Happened = Literal["invoke", "ok", "fail", "unknown"]


class Line(msgspec.Struct, omit_defaults=True):
    """One line. `ns` is time.monotonic_ns; `seen` are the references of a statement, newest first."""

    what: Happened
    id: str
    ns: int
    kind: Kind = "read"
    session: str = ""
    account: str = ""
    payee: str = ""
    amount: str = ""
    detail: str = ""
    seen: tuple[str, ...] = ()
    wrong_answer: bool = False


class Operation(msgspec.Struct):
    """An operation with its outcome; one that a kill cut off has none, and is unknown."""

    invoked: Line
    outcome: Line | None = None

    @property
    def what(self) -> Happened:
        return self.outcome.what if self.outcome else "unknown"

    @property
    def seconds(self) -> float:
        return (self.outcome.ns - self.invoked.ns) / 1e9 if self.outcome else 0.0


def read(paths: Iterable[Path]) -> list[Operation]:
    """Every operation of these files in the order of invocation; a line that a kill cut in two ends its file."""
    decode = msgspec.json.Decoder(Line).decode
    found: dict[str, Operation] = {}
    for path in paths:
        with path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                line = decode(raw)
                if line.what == "invoke":
                    found[line.id] = Operation(line)
                else:
                    found[line.id].outcome = line
    return sorted(found.values(), key=lambda one: one.invoked.ns)
