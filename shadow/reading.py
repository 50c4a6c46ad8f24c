"""Rows of the store to a summary; the caller's transaction makes it one consistent state."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, select

from shadow import tables
from shadow.accounting import Accounting
from shadow.summary import Cluster, Keys, LatencyGroup, Moment, RouteSummary, Sample, Summary

Counts = dict[str, dict[str, int]]


def read_capabilities(connection: Connection) -> tuple[str, ...]:
    """The names of all capabilities with a run."""
    return tuple(connection.execute(select(tables.run.c.capability).order_by(tables.run.c.capability)).scalars())


def read_summary(connection: Connection, capability: str) -> Summary:
    """Everything about one capability; an empty summary where nothing is known."""
    run = connection.execute(select(tables.run).where(tables.run.c.capability == capability)).mappings().first()
    if run is None:
        return Summary(capability)
    scope = tables.scope
    keys, routes = Keys(), []
    latency: tuple[LatencyGroup, ...] = ()
    for row in connection.execute(select(scope).where(scope.c.capability == capability).order_by(scope.c.route)):
        counts = _counts(connection, row.id)
        seen = Keys(
            row.distinct_keys,
            row.keys_mismatched,
            sum(counts["keyless"].values()),
            row.distinct_keys >= tables.KEYS_MAX,
        )
        if row.route:
            routes.append(_route(connection, row.id, row.route, counts, seen))
        else:
            keys, latency = seen, _latency(connection, row.id)
    return Summary(
        capability,
        run["started_at"],
        run["last_at"],
        Keys(keys.distinct, keys.mismatched, sum(route.keys.keyless_pairs for route in routes), keys.is_full),
        tuple(routes),
        latency,
        _timeline(connection, capability, run["started_at"], run["moment_seconds"]),
    )


def _counts(connection: Connection, scope_id: int) -> Counts:
    counter = tables.counter
    counts: Counts = defaultdict(dict)
    wanted = select(counter.c.what, counter.c.detail, counter.c.count).where(counter.c.scope_id == scope_id)
    for what, detail, count in connection.execute(wanted.order_by(counter.c.what, counter.c.count.desc())):
        counts[what][detail] = count
    return counts


def _route(connection: Connection, scope_id: int, name: str, counts: Counts, keys: Keys) -> RouteSummary:
    return RouteSummary(
        name,
        Accounting(
            sum(counts["eligible"].values()), counts["skipped"], counts["dropped"], counts["errored"], counts["verdict"]
        ),
        keys,
        counts["reason"],
        counts["status"],
        counts["shape"],
        _latency(connection, scope_id),
        _clusters(connection, scope_id),
        counts["rule"],
        counts["reached"],
        sum(counts["foreign"].values()),
        counts["noise"],
    )


def _latency(connection: Connection, scope_id: int) -> tuple[LatencyGroup, ...]:
    sample = tables.latency_sample
    pairs: dict[bool, list[tuple[float, float]]] = defaultdict(list)
    wanted = select(sample.c.modern_first, sample.c.legacy_seconds, sample.c.modern_seconds)
    for first, legacy, modern in connection.execute(wanted.where(sample.c.scope_id == scope_id)):
        pairs[first].append((legacy, modern))
    latency = tables.latency
    rows = connection.execute(select(latency).where(latency.c.scope_id == scope_id).order_by(latency.c.modern_first))
    return tuple(
        LatencyGroup(row.modern_first, row.pairs, row.sum_log, row.sum_log_squared, tuple(pairs[row.modern_first]))
        for row in rows
    )


def _clusters(connection: Connection, scope_id: int) -> tuple[Cluster, ...]:
    cluster, sample = tables.cluster, tables.sample
    samples: dict[int, list[Sample]] = defaultdict(list)
    joined = select(sample).join(cluster, cluster.c.id == sample.c.cluster_id).where(cluster.c.scope_id == scope_id)
    for row in connection.execute(joined.order_by(sample.c.cluster_id, sample.c.slot)):
        samples[row.cluster_id].append(Sample(row.at, row.place, row.control_shown, row.candidate_shown))
    wanted = select(cluster).where(cluster.c.scope_id == scope_id)
    rows = connection.execute(wanted.order_by(cluster.c.occurrences.desc(), cluster.c.races.desc(), cluster.c.path))
    return tuple(
        Cluster(
            row.path, row.kind, row.shape, row.occurrences, row.races, row.first_at, row.last_at,
            tuple(samples[row.id]),
        )
        for row in rows
    )  # fmt: skip


def _timeline(connection: Connection, capability: str, started_at: float, seconds: float) -> tuple[Moment, ...]:
    moment = tables.moment
    rows = connection.execute(select(moment).where(moment.c.capability == capability).order_by(moment.c.number))
    return tuple(
        Moment(
            started_at + row.number * seconds,
            seconds,
            row.compared,
            row.disagreeing,
            row.new_keys,
            row.legacy_seconds / row.timed if row.timed else 0.0,
            row.modern_seconds / row.timed if row.timed else 0.0,
        )
        for row in rows
    )
