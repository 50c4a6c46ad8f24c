"""Says in words what would happen to a request: which route, why, who answers and who gets a copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from config.model import Routes, Sandbox, VerifyByRead
from gateway.decision import BUCKETS, Decision, bucket_of, decide
from gateway.table import Plan, Undecided, compile_table, segments_of


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


@dataclass
class _Asked:
    """The request as routing sees it (gateway/conditions.py); of its body nothing is known."""

    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    client: bytes = b""
    peeked: bytes = b""
    has_all: bool = False


def explain(routes: Routes, method: str, target: str, headers: Iterable[tuple[str, str]] = ()) -> Explanation:
    """What this routes.yaml does with that request, `target` being its path and query."""
    fields = [(name.strip().encode("latin-1", "replace"), value.strip().encode()) for name, value in headers]
    asked = _Asked(method.encode(), target.encode(), fields)
    segments = segments_of(asked.target) if target.startswith("/") else None
    if segments is None:
        return Explanation(method, target, None, words=("The target is not a path; it is answered with 400.",))
    found = compile_table(routes).find(asked, segments)
    if found is None:
        words = ("No route matches and there is no default; it is answered with 404.",)
        return Explanation(method, target, None, words=words)
    if isinstance(found, Undecided):
        names = tuple(plan.name for plan in found.plans)
        words = (f"The first bytes of the body decide between {_listed(names)}{_or_default(routes)}.",)
        return Explanation(method, target, None, names, words=words)
    return _explained(routes, found, asked, segments)


def _explained(routes: Routes, plan: Plan, asked: _Asked, segments: list[bytes]) -> Explanation:
    method, target = asked.method.decode(), asked.target.decode()
    is_write = plan.is_write(asked.method)
    if plan.capability is None:
        return _outside(plan, method, target, is_write=is_write)
    canary = routes.capabilities[plan.capability].canary
    key = plan.key(asked, segments) if plan.key is not None and plan.rule.splits_reads else None
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
