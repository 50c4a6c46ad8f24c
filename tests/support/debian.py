"""PostgreSQL of another version than the embedded one: as Debian installs it, or from a folder that the environment names.

STRANGLER_POSTGRES_16=/path/to/bin is such a folder, of version 16.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook.demo.cluster import Cluster

EMBEDDED = "18"


class Debian(Cluster):
    """A throw-away cluster of Debian's package postgresql-VERSION, or of another folder of programs."""

    def __init__(self, directory: Path, name: str, programs: Path) -> None:
        super().__init__(directory, name)
        self._programs = programs
        self._settings = {key: value for key, value in self._settings.items() if key != "scram_iterations"}  # 16+


def server(directory: Path, name: str, version: str) -> Cluster:
    """A running server of that version; the test that asks is skipped where it is not installed."""
    if version == EMBEDDED:
        return Cluster(directory, name).start()
    programs = Path(os.environ.get(f"STRANGLER_POSTGRES_{version}", f"/usr/lib/postgresql/{version}/bin"))
    if not (programs / "postgres").exists():
        pytest.skip(f"PostgreSQL {version} is not installed: apt-get install postgresql-{version}")
    return Debian(directory, name, programs).start()
