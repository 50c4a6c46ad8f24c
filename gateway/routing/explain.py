"""Says in words what would happen to a request: which route, why, who answers and who gets a copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httptools

from config.model import Routes, Sandbox, VerifyByRead
from gateway.limits import Limits
from gateway.routing.decision import BUCKETS, Decision, bucket_of, decide
from gateway.routing.table import Plan, Undecided, compile_table
from gateway.wire import strict
from gateway.wire.identity import Peer
from gateway.wire.problems import PROBLEMS
from gateway.wire.request import Request

_NOBODY: Final = Peer(b"", False, b"http", b"")  # the client's address is not known
_LIMITS: Final = Limits()


@dataclass(frozen=True)
class Explanation:
    """One request explained. `route` is None where none matches, or where the body decides between `candidates`.

    `bucket` is 0 to 9999 and None without a key; modern answers reads in buckets below `threshold`.
    """

    method: str
    target: str
    route: str | None
    candidates: tuple[str, ...] = ()
    capability: str | None = None
    stage: str | None = None
    is_write: bool | None = None
    key_source: str | None = None
    key: str | None = None
    bucket: int | None = None
    threshold: float | None = None
    answered_by: str | None = None
    mirrored_to: str | None = None
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.words)


def explain(routes: Routes, method: str, target: str, headers: Iterable[tuple[str, str]] = ()) -> Explanation:
    """What this routes.yaml does with that request, whose body is not known. A Host is made up if none is given."""
    request, reason = read_request(method, target, headers)
    if reason is not None:
        problem = PROBLEMS[reason]
        words = (f"It is answered with {problem.status} here and goes nowhere: {problem.detail}",)
        return Explanation(method, target, None, words=words)
    found = compile_table(routes).find(request, request.segments)
    if found is None:
        words = ("No route matches and there is no default; it is answered with 404.",)
        return Explanation(method, target, None, words=words)
    if isinstance(found, Undecided):
        names = tuple(plan.name for plan in found.plans)
        words = (f"The first bytes of the body decide between {_listed(names)}{_or_default(routes)}.",)
        return Explanation(method, target, None, names, words=words)
    return _explained(routes, found, request, (method, target))


def read_request(method: str, target: str, headers: Iterable[tuple[str, str]]) -> tuple[Request, str | None]:
    """The request as the gateway would read it from the wire, and why it would refuse it."""
    named = list(headers)
    if not any(name.strip().lower() == "host" for name, _ in named):
        named.insert(0, ("Host", "localhost"))
    fields = [(name.strip().encode("latin-1", "replace"), value.strip().encode()) for name, value in named]
    start = b"%b %b HTTP/1.1\r\n" % (method.encode(), target.encode())
    request = Request(_NOBODY, (method.encode(), target.encode(), b"1"), fields)
    if strict.START(start) is None:
        return request, "malformed"
    try:
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        httptools.HttpRequestParser(object()).feed_data(start + lines + b"\r\n")
    except httptools.HttpParserInvalidMethodError:
        return request, "method_refused"
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return request, "malformed"
    return request, request.check(_LIMITS)


def _explained(routes: Routes, plan: Plan, asked: Request, said: tuple[str, str]) -> Explanation:
    method, target = said
    is_write = plan.is_write(asked.method)
    if plan.capability is None:
        return _outside(plan, method, target, is_write=is_write)
    canary = routes.capabilities[plan.capability].canary
    key = plan.key(asked, asked.segments) if plan.key is not None and plan.rule.splits_reads else None
    bucket = None if key is None else bucket_of(plan.seed, key)
    decision = decide(plan.rule, is_write=is_write, bucket=bucket)
    mirrored_to, mirror_words = _mirror(plan, decision, is_write=is_write)
    kind = "write" if is_write else "read"
    return Explanation(
        method,
        target,
        plan.name,
        capability=plan.capability,
        stage=plan.rule.stage,
        is_write=is_write,
        key_source=canary.key if canary else None,
        key=None if key is None else key.decode("utf-8", "replace"),
        bucket=bucket,
        threshold=plan.rule.threshold,
        answered_by=decision.upstream,
        mirrored_to=mirrored_to,
        words=(
            f"It matches the route {plan.name}: a {kind} of the capability {plan.capability}, stage {plan.rule.stage}.",
            *_key_words(plan, canary.key if canary else "", bucket, is_write=is_write),
            f"{decision.upstream} ({decision.side}) answers: {decision.why}.",
            mirror_words,
        ),
    )


def _outside(plan: Plan, method: str, target: str, *, is_write: bool) -> Explanation:
    upstream = decide(plan.rule, is_write=is_write, bucket=None).upstream
    if plan.rule.stage == "default":
        why = f"No route matches, so it goes to the default {upstream}"
    else:
        why = f"It matches the route {plan.name}, which is pinned to {upstream}"
    words = (f"{why}; it belongs to no capability and is not mirrored.",)
    return Explanation(method, target, plan.name, is_write=is_write, answered_by=upstream, words=words)


def _key_words(plan: Plan, source: str, bucket: int | None, *, is_write: bool) -> tuple[str, ...]:
    if not plan.rule.splits_reads or is_write:
        return ()
    share = f"modern answers the buckets below {plan.rule.threshold:g} of {BUCKETS}"
    if bucket is not None:
        fresh = " (legacy, while what the key wrote has not arrived there)" if bucket < plan.rule.threshold else ""
        return (f"Its key ({source}) is in bucket {bucket}; {share}{fresh}.",)
    if source == "client":
        return (f"Its key is the client's address, which is not known here; {share}.",)
    return (f"It has no key ({source}), and without one legacy answers.",)


def _mirror(plan: Plan, decision: Decision, *, is_write: bool) -> tuple[str | None, str]:
    if not is_write:
        if decision.mirror is None:
            return None, "It is not mirrored."
        return decision.mirror, f"A copy of {plan.sample:.0%} of such requests goes to {decision.mirror}."
    if decision.mirror is None or plan.shadow == "never":
        return None, "It is not mirrored."
    if isinstance(plan.shadow, Sandbox):
        return plan.shadow.sandbox, f"A copy goes to the sandbox {plan.shadow.sandbox}."
    if isinstance(plan.shadow, VerifyByRead):
        return None, f"It is not mirrored; afterwards {plan.shadow.verify_by_read} is read on both sides."
    return decision.mirror, f"A copy goes to {decision.mirror} with X-Shadow: dry-run, once the outcome is known."


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(names))


def _or_default(routes: Routes) -> str:
    return f" and the default {routes.default}" if routes.default else ""
