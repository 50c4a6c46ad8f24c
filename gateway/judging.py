"""An event from a worker to what the store keeps: each pair with its verdict, by the rules of its route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from config.comparing import Compare
from config.errors import StranglerError
from config.model import Routes
from legacy_adapter.codec import decode, parse_copybook
from legacy_adapter.codec.record import check_codepage
from shadow.body import Decoder
from shadow.compare import Verdict, compare
from shadow.observation import Event, Pair
from shadow.rules import NO_RULES, Rules
from shadow.tally import Judged

CRASHED = Verdict("incomparable", "crashed")
BROKEN_RULES = Verdict("incomparable", "rules_invalid")

_log = structlog.get_logger()


@dataclass(frozen=True)
class Criteria:
    """How one route's answers are compared."""

    rules: Rules = NO_RULES
    decoder: Decoder | None = None


ANY_ROUTE = Criteria()


class Judge:
    """The criteria of every route of one routes.yaml; copybooks are read when it is made."""

    def __init__(self, routes: Routes, compare_pair: Callable[..., Verdict] = compare) -> None:
        self._compare = compare_pair
        self._criteria: dict[str, Criteria | None] = {
            route.name: _criteria(route.name, route.compare) for route in routes.routes if route.capability is not None
        }

    def judge(self, event: Event) -> Judged:
        """The event, with a verdict if it is a pair. Never raises: whatever goes wrong is a verdict of its own."""
        if not isinstance(event, Pair):
            return event, None
        criteria = self._criteria.get(event.route, ANY_ROUTE)
        if criteria is None:
            return event, BROKEN_RULES
        try:
            return event, self._compare(event, criteria.rules, criteria.decoder)
        except Exception as error:  # noqa: BLE001 - one strange pair must not end the comparison of all the others
            _log.error("comparer.crashed", route=event.route, error=type(error).__name__, at=_place(error))
            return event, CRASHED


def _criteria(route: str, rules: Compare) -> Criteria | None:
    try:
        return Criteria(Rules.of(rules), decoder_of(rules))
    except (StranglerError, OSError, UnicodeDecodeError) as error:
        _log.error("comparer.rules_invalid", route=route, reason=str(error))
        return None


def decoder_of(rules: Compare) -> Decoder | None:
    """The decoder of fixed-width answers, if there is a copybook. Raises CopybookRefused, CodepageUnknown, OSError."""
    if rules.copybook is None:
        return None
    layout = parse_copybook(Path(rules.copybook).read_text(encoding="utf-8"))
    check_codepage(rules.codepage)

    def decoded(body: bytes) -> object:
        record = decode(layout, body, rules.codepage)
        return list(record.findings) if record.findings else record.values

    return decoded


def _place(error: Exception) -> str:
    """The innermost line of the code that failed; never a value."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown"
