"""What the README shows can be typed: its commands run, the ones it lists exist, its make targets are there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
SHELL = [line.split("  #")[0].strip() for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line]
LISTED = [line for kind, text in BLOCKS if not kind for line in text.splitlines() if line.startswith("strangler ")]


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("line", [line for line in SHELL if not line.startswith("make ")])
def test_a_command_of_the_readme_runs(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert Path(program).name == "strangler"
    done = run(str(BIN / "strangler"), *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("make ")])
def test_a_make_target_of_the_readme_exists(line: str) -> None:
    assert run("make", "--dry-run", *line.split()[1:]).returncode == 0


@pytest.mark.parametrize("line", LISTED)
def test_a_command_that_the_readme_lists_exists(line: str) -> None:
    words = [
        word for word in line.partition("   ")[0].split()[1:] if re.fullmatch(r"[a-z]+", word) and word != "accounts"
    ]
    done = run(str(BIN / "strangler"), *words, "--help")
    assert done.returncode == 0, done.stderr
    assert f"Usage: strangler {' '.join(words)} " in done.stdout
