"""An event from a worker to what the store keeps: each pair with its verdict, by the rules of its route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec
import structlog

from config.comparing import Compare
from config.errors import StranglerError
from config.model import Route, Routes, Shadow
from legacy_adapter.codec import decode, parse_copybook
from legacy_adapter.codec.record import check_codepage
from shadow.body import Decoder
from shadow.compare import Verdict, compare
from shadow.compare import judge as judge_answers
from shadow.correspondence import Belonging, Correspondence
from shadow.keeper import Keeper, Keeping
from shadow.observation import Event, Noise, Pair
from shadow.reached import Watch
from shadow.rules import NO_RULES, Rules
from shadow.snapshot import Reading
from shadow.tally import Judged
from shadow.vault import vault_of

CRASHED = Verdict("incomparable", "crashed")
NOTHING_KEPT = Shadow(keep=0)
BROKEN_RULES = Verdict("incomparable", "rules_invalid")

_log = structlog.get_logger()


class Criteria:
    """How one route's answers are compared on one day."""

    def __init__(self, rules: Rules = NO_RULES, decoder: Decoder | None = None, shadow: Shadow = NOTHING_KEPT) -> None:
        self.rules, self.decoder = rules, decoder
        self.watch = Watch(rules, decoder)
        self.keeping = Keeping(shadow.keep, shadow.retention, Reading(rules, decoder), shadow.captures)


ANY_ROUTE = Criteria()


class Judge:
    """The criteria of every route of one routes.yaml; copybooks are read when it is made, and rules whose last day is
    over are left out from the first pair of the next day on. `ids` are those known to belong together, by capability;
    pairs add to them."""

    def __init__(self, routes: Routes, compare_pair: Callable[..., Verdict] = compare) -> None:
        self._compare = compare_pair
        self.ids_wanted = ids_wanted(routes)
        self.ids = {name: Correspondence(seconds) for name, seconds in self.ids_wanted.items()}
        self._routes = routes
        self._day_ends = 0.0
        self._criteria: dict[str, Criteria | None] = {}
        self._compile(None)

    def _compile(self, today: date | None) -> None:
        self._criteria = {
            route.name: _criteria(route, self._routes, today)
            for route in self._routes.routes
            if route.capability is not None
        }

    def keeping(self, route: str) -> Keeping | None:
        """How pairs of a route are stored; None for a route that is not compared."""
        criteria = self._criteria.get(route)
        return criteria.keeping if criteria is not None else None

    def judge(self, event: Event) -> Judged:
        """The event, with a verdict if it is a pair. Never raises: whatever goes wrong is a verdict of its own."""
        if not isinstance(event, Pair | Noise):
            return event, None
        if event.at >= self._day_ends:
            day = datetime.fromtimestamp(event.at, UTC).date()
            self._day_ends = datetime.combine(day + timedelta(days=1), time(), UTC).timestamp()
            self._compile(day)
        criteria = self._criteria.get(event.route, ANY_ROUTE)
        if criteria is None:
            return event, BROKEN_RULES
        try:
            if isinstance(event, Noise):
                return event, judge_answers(event.first, event.again, criteria.rules, criteria.decoder)
            verdict = self._verdict(event, criteria)
            reached = criteria.watch.look(event)
            return event, verdict if reached is None else msgspec.structs.replace(verdict, reached=reached)
        except Exception as error:  # noqa: BLE001 - one strange pair must not end the comparison of all the others
            _log.error("comparer.crashed", route=event.route, error=type(error).__name__, at=_place(error))
            return event, CRASHED

    def _verdict(self, pair: Pair, criteria: Criteria) -> Verdict:
        ids = self.ids.get(pair.capability) if criteria.rules.has_ids else None
        if ids is None:
            return self._compare(pair, criteria.rules, criteria.decoder)
        ids.expire(pair.at)
        verdict = self._compare(pair, criteria.rules, criteria.decoder, None, ids)
        ids.put(Belonging(*one, pair.at) for one in verdict.learned)
        return verdict


def ids_wanted(routes: Routes) -> dict[str, float]:
    """The capabilities with a rule for ids, and how long what was learned for them is kept."""
    wanted = {one.capability for one in routes.routes if any(rule.id is not None for rule in one.compare.rules)}
    return {name: (one.shadow or Shadow()).retention for name, one in routes.capabilities.items() if name in wanted}


def _criteria(route: Route, routes: Routes, today: date | None) -> Criteria | None:
    capability = routes.capabilities.get(route.capability or "")
    shadow = (capability.shadow if capability else None) or Shadow()
    try:
        rules, decoder = Rules.of(route.compare, today), decoder_of(route.compare)
    except (StranglerError, OSError, UnicodeDecodeError) as error:
        _log.error("comparer.rules_invalid", route=route.name, reason=str(error))
        return None
    return Criteria(rules, decoder, shadow)


def keeper_of(judge: Judge, environ: Mapping[str, str]) -> Keeper | None:
    """What stores pairs, where the environment has a key to seal them with. Raises SampleKeysInvalid."""
    vault = vault_of(environ)
    return Keeper(vault, judge.keeping) if vault is not None else None


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
