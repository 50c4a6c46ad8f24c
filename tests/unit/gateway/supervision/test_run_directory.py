from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.supervision.run_directory import (
    SOCKET_PATH_BYTES_MAX,
    RunDirectoryTaken,
    RunDirectoryUnusable,
    claim,
    run_directory,
)


def test_it_lies_beside_routes_yaml_or_where_the_environment_says(tmp_path: Path) -> None:
    assert run_directory(tmp_path / "routes.yaml", {}) == tmp_path / ".strangler"
    assert run_directory(tmp_path / "routes.yaml", {"STRANGLER_RUN": "/run/here"}) == Path("/run/here")


def test_a_second_gateway_is_refused_and_told_whose_it_is(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from gateway.supervision.run_directory import claim
with claim(Path({str(tmp_path / "run")!r})):
    print("mine", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"mine\n"
        with pytest.raises(RunDirectoryTaken) as refused, claim(tmp_path / "run"):
            pass
        assert f"process {first.pid}" in str(refused.value)
        assert "STRANGLER_RUN" in str(refused.value)
        first.kill()
    with claim(tmp_path / "run"):
        pass  # the kernel has released a killed gateway's lock


def test_a_path_too_long_for_a_socket_gets_a_short_one_that_goes_away(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    with claim(deep) as run:
        elsewhere = run.socket_path.parent
        assert len(str(run.socket_path)) <= SOCKET_PATH_BYTES_MAX
        assert elsewhere != deep
        assert elsewhere.is_dir()
    assert not elsewhere.exists()


def test_the_table_is_replaced_and_private(tmp_path: Path) -> None:
    with claim(tmp_path / "run") as run:
        run.put_table(b"one")
        run.put_table(b"two")
        assert run.table_path.read_bytes() == b"two"
        assert run.table_path.stat().st_mode & 0o777 == 0o600
        assert run.path.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryUnusable, match="cannot be used"), claim(tmp_path / "file" / "run"):
        pass
