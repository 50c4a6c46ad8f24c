"""A throw-away PostgreSQL for as long as a command needs one: started empty, gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runbook.demo.cluster import Cluster
from runbook.demo.workspace import Workspace


@contextmanager
def scratch_database(purpose: str) -> Iterator[str]:
    """The address of an empty database on a server of its own. Raises ClusterFailed."""
    with Workspace(purpose) as workspace:
        cluster = Cluster(workspace.path, "scratch").start()
        try:
            yield cluster.create_database("scratch")
        finally:
            cluster.stop(immediate=True)
