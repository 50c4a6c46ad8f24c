"""How long `strangler migrate import` takes for 5,000 tables in the style of DBMS_METADATA.GET_DDL, executed and all.

Run from the checkout: PYTHONPATH=. .venv/bin/python benchmarks/import_bench.py
"""

from __future__ import annotations

import sys
import time

from cdc.translation.views import translated_view
from migrations.importing.importer import Means, import_script
from migrations.importing.type_policy import TypePolicy
from runbook.demo.cluster import Cluster
from runbook.demo.workspace import Workspace
from tests.support.legacy_scripts import SCRIPTS

TABLES = 5_000

if __name__ == "__main__":
    dialects = sys.argv[1:] or list(SCRIPTS)
    with Workspace("bench") as workspace:
        cluster = Cluster(workspace.path, "bench").start()
        try:
            for dialect in dialects:
                file = workspace.path / f"{dialect}.sql"
                file.write_text(SCRIPTS[dialect](TABLES), encoding="utf-8", newline="")
                url = cluster.create_database(f"import_{dialect}")
                start = time.monotonic()
                report = import_script(
                    file, TypePolicy(dialect), Means(workspace.path / dialect, url, translate_view=translated_view)
                )
                seconds = time.monotonic() - start
                account = f"{report.read:,} = {report.translated:,} + {report.left_out:,}"
                counts = ", ".join(f"{count:,} {name}" for name, count in sorted(report.confidence.items()))
                print(f"{dialect}: {TABLES:,} tables in {seconds:.1f} s; statements {account}; objects {counts}")
        finally:
            cluster.stop(immediate=True)
