"""A world that was seeded, synchronised and verified once, and is copied for each that begins where it stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runbook.demo.cast import Cast
from runbook.demo.cluster import Cluster


@dataclass(frozen=True)
class Prepared:
    """The folder of a world in which everything was stopped, and what is not in it."""

    folder: Path
    passwords: Sequence[str]
    cast: Cast
    verified: float  # time.monotonic of the verification

    def lend_passwords(self, *clusters: Cluster) -> None:
        """Its data knows its password."""
        for cluster, password in zip(clusters, self.passwords, strict=True):
            cluster._password = password

    def fill(self, folder: Path) -> None:
        """Copy the data of both servers, the control database and what the runbook keeps beside it."""
        for name in ("corebank", "ledger", "run", "control.db"):
            subprocess.run(["cp", "-a", "--reflink=auto", self.folder / name, folder], check=True)
