"""A throw-away PostgreSQL for as long as a command needs one: started empty, gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runbook.demo.cluster import Cluster
from runbook.demo.workspace import Workspace

# For statements whose time means nothing: no log that anybody reads, and nobody who analyses thousands of new tables.
HASTY = {"wal_level": "minimal", "max_wal_senders": "0", "full_page_writes": "off", "autovacuum": "off"}


@contextmanager
def scratch_database(purpose: str, settings: dict[str, str] | None = None) -> Iterator[str]:
    """The address of an empty database on a server of its own. Raises ClusterFailed."""
    with Workspace(purpose) as workspace:
        cluster = Cluster(workspace.path, "scratch", settings=settings).start()
        try:
            yield cluster.create_database("scratch")
        finally:
            cluster.stop(immediate=True)
