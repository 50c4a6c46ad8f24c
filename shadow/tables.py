"""The tables of the store in which the comparer keeps what it has learned.

A scope is a route of a capability, or the whole capability (route is empty). All of it is derived from traffic, holds
no value of an answer in clear, and may be deleted at any time at the cost of the evidence.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 5
KEYS_MAX = 1_000_000
"""Distinct keys held for each scope; past it the evidence stands still rather than being estimated."""

Whole = BigInteger().with_variant(Integer, "sqlite")
"""Counts, and hashes of 64 bits."""

metadata = MetaData()

run = Table(
    "run",
    metadata,
    Column("capability", String, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("moment_seconds", Float, nullable=False),
)
source = Table(
    "source",
    metadata,
    Column("worker", String, primary_key=True),
    Column("stored", Whole, nullable=False),
    Column("counted", String, nullable=False),
    Column("at", Float, nullable=False),
)
scope = Table(
    "scope",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("capability", String, nullable=False),
    Column("route", String, nullable=False),
    Column("distinct_keys", Whole, nullable=False),
    Column("keys_mismatched", Whole, nullable=False),
    UniqueConstraint("capability", "route"),
)
counter = Table(
    "counter",
    metadata,
    Column("scope_id", Integer, primary_key=True),
    Column("what", String, primary_key=True),
    Column("detail", String, primary_key=True),
    Column("count", Whole, nullable=False),
    sqlite_with_rowid=False,
)
seen_key = Table(
    "seen_key",
    metadata,
    Column("scope_id", Integer, primary_key=True),
    Column("key", Whole, primary_key=True),
    Column("mismatched", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
cluster = Table(
    "cluster",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scope_id", Integer, nullable=False),
    Column("path", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("shape", String, nullable=False),
    Column("occurrences", Whole, nullable=False),
    Column("races", Whole, nullable=False),
    Column("first_at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    UniqueConstraint("scope_id", "path", "kind", "shape"),
)
sample = Table(
    "sample",
    metadata,
    Column("cluster_id", Integer, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("place", String, nullable=False),
    Column("control_shown", String),
    Column("candidate_shown", String),
    sqlite_with_rowid=False,
)
latency = Table(
    "latency",
    metadata,
    Column("scope_id", Integer, primary_key=True),
    Column("modern_first", Boolean, primary_key=True),
    Column("pairs", Whole, nullable=False),
    Column("sum_log", Float, nullable=False),
    Column("sum_log_squared", Float, nullable=False),
    sqlite_with_rowid=False,
)
latency_sample = Table(
    "latency_sample",
    metadata,
    Column("scope_id", Integer, primary_key=True),
    Column("modern_first", Boolean, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("legacy_seconds", Float, nullable=False),
    Column("modern_seconds", Float, nullable=False),
    sqlite_with_rowid=False,
)
moment = Table(
    "moment",
    metadata,
    Column("capability", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("compared", Whole, nullable=False),
    Column("disagreeing", Whole, nullable=False),
    Column("new_keys", Whole, nullable=False),
    Column("timed", Whole, nullable=False),
    Column("legacy_seconds", Float, nullable=False),
    Column("modern_seconds", Float, nullable=False),
    sqlite_with_rowid=False,
)
kept = Table(
    "kept",
    metadata,
    Column("capability", String, primary_key=True),
    Column("route", String, primary_key=True),
    Column("verdict", String, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("subject", String, nullable=False, index=True),
    Column("key_id", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
kept_count = Table(
    "kept_count",
    metadata,
    Column("capability", String, primary_key=True),
    Column("route", String, primary_key=True),
    Column("verdict", String, primary_key=True),
    Column("seen", Whole, nullable=False),
)
belonging = Table(
    "belonging",
    metadata,
    Column("capability", String, primary_key=True),
    Column("legacy", String, primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("subject", String, nullable=False, index=True),
    Column("key_id", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
