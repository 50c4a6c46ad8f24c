"""`migrate lint --measure`: revisions run on a scratch database filled like the real one, under a writer."""

from __future__ import annotations

from pathlib import Path

import psycopg

from migrations.measure import measure
from migrations.upgrade import upgrade
from tests.scenarios.test_upgrades_are_serialised import folder_with


def test_locks_are_scaled_to_the_real_rows_and_multiplied_by_the_traffic(
    legacy_db: str, modern_db: str, tmp_path: Path
) -> None:
    folder = folder_with(tmp_path / "r", 'op.execute("CREATE TABLE public.item (id int PRIMARY KEY, v int)")')
    upgrade(legacy_db, str(folder))
    with psycopg.connect(legacy_db, autocommit=True) as real:
        real.execute("INSERT INTO public.item SELECT n, n FROM generate_series(1, 200000) AS n; ANALYZE public.item")
    body = 'op.execute("ALTER TABLE public.item ALTER COLUMN v SET NOT NULL"); op.execute("CREATE INDEX i ON public.item (v)")'
    folder_with(folder, body, "two")
    text = (folder / "two.py").read_text().replace("down_revision = None", 'down_revision = "one"')
    (folder / "two.py").write_text(text.replace('("expand",)', "None"))
    found = {one.statement.split()[0]: one for one in measure(modern_db, legacy_db, str(folder), {"item": 50.0}, print)}
    altered, index = found["ALTER"], found["CREATE"]
    assert "item: AccessExclusiveLock" in altered.locks
    assert "item: ShareLock" in index.locks
    assert altered.held_seconds >= altered.seconds
    assert altered.held_seconds >= index.held_seconds  # held to the end of the revision
    assert altered.longest_write_seconds > 0
    assert 1.9 < altered.predicted_seconds / altered.held_seconds < 2.1  # 200,000 rows, of which 100,000 were sampled
    assert altered.waiting_requests == altered.predicted_seconds * 50.0
    with psycopg.connect(legacy_db) as real:
        assert real.execute("SELECT version_num FROM public.alembic_version").fetchall() == [("one",)]
