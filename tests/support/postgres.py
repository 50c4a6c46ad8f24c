"""Two PostgreSQL servers for the whole run, and fresh databases in them for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from runbook.demo.cluster import Cluster
from runbook.demo.workspace import Workspace
from tests.support.debian import EMBEDDED, server

_numbers = count(1)
# `make hard-cases` runs the streams' scenarios on each version; the suite runs on the embedded one.
VERSION = os.environ.get("STRANGLER_TEST_POSTGRES", EMBEDDED)


@pytest.fixture(scope="session")
def workspace() -> Iterator[Path]:
    with Workspace("tests") as folder:
        yield folder.path


@pytest.fixture(scope="session")
def legacy_server(workspace: Path) -> Iterator[Cluster]:
    cluster = server(workspace, "legacy", VERSION)
    yield cluster
    cluster.stop(immediate=True)


@pytest.fixture(scope="session")
def modern_server(workspace: Path) -> Iterator[Cluster]:
    cluster = server(workspace, "modern", VERSION)
    yield cluster
    cluster.stop(immediate=True)


@pytest.fixture
def debian_db(workspace: Path) -> Iterator[str]:
    """A database on Debian's PostgreSQL 15; the test is skipped where it is not installed."""
    cluster = server(workspace, "debian", "15")
    yield from _fresh_database(cluster)
    cluster.stop(immediate=True)


@pytest.fixture
def legacy_db(legacy_server: Cluster) -> Iterator[str]:
    yield from _fresh_database(legacy_server)


@pytest.fixture
def modern_db(modern_server: Cluster) -> Iterator[str]:
    yield from _fresh_database(modern_server)


@pytest.fixture
def control_db(modern_server: Cluster) -> Iterator[str]:
    yield from _fresh_database(modern_server)


def _fresh_database(cluster: Cluster) -> Iterator[str]:
    name = f"t{next(_numbers)}"
    yield cluster.create_database(name)
    cluster.drop_database(name)


@pytest.fixture(scope="module")
def databases_of_the_module(legacy_server: Cluster, modern_server: Cluster) -> Iterator[tuple[str, str]]:
    """One database on each server, for tests that follow each other."""
    legacy, modern = _fresh_database(legacy_server), _fresh_database(modern_server)
    yield next(legacy), next(modern)
    for end in (legacy, modern):
        next(end, None)
