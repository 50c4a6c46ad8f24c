"""Servers that restart, fail over, come back from an older backup or have no room: the stream goes on, or says why not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from cdc import sync
from cdc.pulse import SourceIsOlder, beat
from cdc.streaming.stream_errors import OtherSource, SlotGone, SourceWentBack
from config.model import Routes
from runbook.demo.cluster import Cluster
from tests.support.breakable import Breakable, breakable
from tests.support.debian import server
from tests.support.item_pair import LEGACY, MAPPINGS, MODERN
from tests.support.mapped_pair import routes_for
from tests.support.postgres import VERSION
from tests.support.streams import FORWARD, once, state, streaming
from tests.support.waiting import wait_until

FILLED = "INSERT INTO item SELECT n, 'a', NULL, repeat('x', 1000), 0 FROM generate_series(%s::int, %s::int) AS n"
SUMS = "SELECT count(*), sum({}::bigint) FROM {}"


@dataclass
class World:
    """Two servers of this test's own behind proxies whose addresses stay when a server's changes."""

    homes: dict[str, Path]
    servers: dict[str, Cluster]
    proxies: dict[str, Breakable]
    urls: dict[str, str]
    routes: Routes

    def restart(self, name: str) -> None:
        """Crash it and start it again, on another port."""
        self.servers[name].stop(immediate=True)
        self.start(name)

    def start(self, name: str) -> None:
        self.servers[name].start()
        self.proxies[name].port = self.servers[name].port

    def sql(self, name: str, statement: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.urls[name], autocommit=True) as conn:
            found = conn.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    def is_equal(self) -> bool:
        legacy, modern = (
            self.sql("legacy", SUMS.format("id", "item")),
            self.sql("modern", SUMS.format("thing_id", "thing")),
        )
        return legacy == modern


@pytest.fixture(scope="module")
def servers(workspace: Path) -> Iterator[dict[str, Cluster]]:
    """Two servers that these tests may crash, restore and promote."""
    servers = {name: server(workspace, f"own-{name}", VERSION) for name in ("legacy", "modern")}
    yield servers
    for one in servers.values():
        one.stop(immediate=True)


@pytest.fixture
def world(tmp_path: Path, workspace: Path, servers: dict[str, Cluster]) -> Iterator[World]:
    addresses = {name: one.create_database("bank") for name, one in servers.items()}
    homes = {name: workspace / f"own-{name}" for name in servers}
    (tmp_path / "mappings").mkdir()
    for name, text in MAPPINGS.items():
        (tmp_path / "mappings" / f"{name}.sql").write_text(text)
    with breakable(addresses["legacy"]) as left, breakable(addresses["modern"]) as right:
        proxies = {"legacy": left, "modern": right}
        urls = {name: proxy.url(addresses[name]) for name, proxy in proxies.items()}
        routes = routes_for(tmp_path, urls["legacy"], urls["modern"], tmp_path / "mappings")
        world = World(homes, servers, proxies, urls, routes)
        world.sql("legacy", LEGACY)
        world.sql("modern", MODERN)
        world.sql("legacy", FILLED, 1, 20)
        once(routes)
        yield world
    for one in servers.values():
        one.drop_database("bank")


def test_both_servers_crash_and_come_back_under_writes(world: World) -> None:
    with streaming(world.routes, world.urls["modern"]) as streams:
        for number, name in enumerate(("legacy", "modern", "legacy")):
            world.sql("legacy", FILLED, 100 * (number + 1), 100 * (number + 1) + 50)
            world.restart(name)
            world.sql("legacy", FILLED, 100 * (number + 1) + 51, 100 * (number + 1) + 60)
            wait_until(world.is_equal, f"both are equal after the crash of {name}", 30)
        assert streams.error is None


def test_a_source_from_an_older_backup_is_refused(world: World) -> None:
    home = world.homes["legacy"]
    data = home / "data"
    world.servers["legacy"].stop()
    shutil.copytree(data, home / "backup", symlinks=True, copy_function=shutil.copy2)
    world.start("legacy")
    world.sql("legacy", FILLED, 100, 1100)
    once(world.routes)
    world.servers["legacy"].stop()
    shutil.rmtree(data)
    (home / "backup").rename(data)
    _owned_by_the_owner_of(home, data)
    world.start("legacy")
    world.sql("legacy", FILLED, 5000, 5001)
    with pytest.raises(SourceWentBack, match="restored to an older state"):
        once(world.routes)
    assert rows_of(world) == 20 + 1001  # nothing of it was taken
    assert state(world.urls["modern"]).state == "stopped"


def test_a_source_from_an_older_image_is_refused_also_when_its_log_has_grown_past_our_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "HEARTBEAT_SECONDS", 0.05)
    home = world.homes["legacy"]
    data = home / "data"
    with streaming(world.routes, world.urls["modern"]):
        wait_until(lambda: state(world.urls["modern"]).heartbeat_at, "a heartbeat has arrived")
    world.servers["legacy"].stop()
    shutil.copytree(data, home / "backup", symlinks=True, copy_function=shutil.copy2)
    world.start("legacy")
    before = state(world.urls["modern"]).heartbeat_at
    world.sql("legacy", FILLED, 100, 200)
    with streaming(world.routes, world.urls["modern"]):
        wait_until(lambda: (state(world.urls["modern"]).heartbeat_at or before) > before, "a later one has arrived")
    world.servers["legacy"].stop()
    shutil.rmtree(data)
    (home / "backup").rename(data)
    _owned_by_the_owner_of(home, data)
    world.start("legacy")
    place = state(world.urls["modern"]).position
    number = 5000
    while world.sql("legacy", "SELECT pg_current_wal_flush_lsn() <= %s::text::pg_lsn", place) == [(True,)]:
        world.sql("legacy", FILLED, number, number + 100)
        number += 101
    with pytest.raises(SourceIsOlder, match="and has been written since"):
        once(world.routes)
    seen = state(world.urls["modern"])
    assert (seen.position, seen.state) == (place, "stopped")
    with psycopg.connect(world.urls["legacy"]) as source, pytest.raises(SourceIsOlder):
        beat(source, FORWARD, seen.heartbeat_at, datetime.now(UTC))  # it is not made to look newer than it is


def test_a_source_that_was_promoted_is_refused(world: World) -> None:
    home = world.homes["legacy"]
    data = home / "data"
    world.servers["legacy"].stop()
    (data / "standby.signal").touch()
    _owned_by_the_owner_of(data, data / "standby.signal")
    world.start("legacy")
    world.sql("legacy", "SELECT pg_promote(true, 30)")
    world.sql("legacy", FILLED, 100, 110)
    with pytest.raises(OtherSource, match="timeline 2"):
        once(world.routes)


def test_a_slot_that_was_invalidated_is_refused(world: World) -> None:
    world.sql("legacy", "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    world.sql("legacy", "SELECT pg_reload_conf()")
    world.sql("legacy", "CREATE TABLE noise (t text)")
    lost = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'strangler_accounts_forward'"

    def is_lost() -> bool:
        world.sql("legacy", "INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 10000)")
        world.sql("legacy", "SELECT pg_switch_wal()")
        world.sql("legacy", "CHECKPOINT")
        return world.sql("legacy", lost) == [("lost",)]

    wait_until(is_lost, "the slot is lost", 30)
    with pytest.raises(SlotGone, match="invalidated"):
        once(world.routes)
    world.sql("legacy", "ALTER SYSTEM RESET max_slot_wal_keep_size")
    world.sql("legacy", "SELECT pg_reload_conf()")


def test_a_target_without_room_makes_the_stream_wait(world: World) -> None:
    small = world.homes["modern"] / "small"
    with small_disk(small, world) as grow:
        world.sql("modern", f"CREATE TABLESPACE small LOCATION '{small}'")
        world.sql("modern", "ALTER TABLE thing SET TABLESPACE small")
        with streaming(world.routes, world.urls["modern"]) as streams:
            world.sql("legacy", FILLED, 100, 20000)
            wait_until(lambda: "No space left" in log_of(world, "modern"), "the disk is full", 30)
            assert rows_of(world) == 20  # the transaction is there whole, or not at all
            grow()
            wait_until(world.is_equal, "both are equal when there is room", 60)
            assert streams.error is None
        world.sql("modern", "ALTER TABLE thing SET TABLESPACE pg_default")
        world.sql("modern", "DROP TABLESPACE small")


def test_a_source_without_room_for_decoding_makes_the_stream_wait(world: World) -> None:
    home = world.homes["legacy"]
    data = home / "data"
    world.sql("legacy", "ALTER SYSTEM SET logical_decoding_work_mem = '64kB'")
    world.servers["legacy"].stop()
    shutil.copytree(data / "pg_replslot", home / "kept")
    with small_disk(data / "pg_replslot", world) as grow:
        shutil.copytree(home / "kept", data / "pg_replslot", dirs_exist_ok=True)
        _owned_by_the_owner_of(data, *(data / "pg_replslot").rglob("*"))
        world.start("legacy")
        with streaming(world.routes, world.urls["modern"]) as streams:
            world.sql("legacy", FILLED, 100, 20000)
            wait_until(lambda: "No space left" in log_of(world, "legacy"), "the disk is full", 30)
            grow()
            wait_until(world.is_equal, "both are equal when there is room", 60)
            assert streams.error is None


@contextmanager
def small_disk(place: Path, world: World) -> Iterator[Callable[[], object]]:
    """A file system of 4 MiB at that place, and what makes it larger. Only root may mount one."""
    place.mkdir(exist_ok=True)
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, check=False
        ).returncode
    )
    if not mounted:
        pytest.skip("a disk that is full needs a small file system, and only root may mount one")
    _owned_by_the_owner_of(world.homes["legacy"] / "data", place)
    place.chmod(0o700)
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=256m", place], check=True)
    finally:
        for one in world.servers.values():
            one.stop()
        subprocess.run(["umount", place], check=True)
        for name in world.servers:
            world.start(name)


def log_of(world: World, name: str) -> str:
    return (world.homes[name] / "log").read_text(errors="replace")


def rows_of(world: World) -> object:
    return world.sql("modern", "SELECT count(*) FROM thing")[0][0]


def _owned_by_the_owner_of(one: Path, *others: Path) -> None:
    owner = one.stat()
    if os.geteuid() == 0:
        for other in others:
            for path in (other, *other.rglob("*")) if other.is_dir() else (other,):
                os.chown(path, owner.st_uid, owner.st_gid)
