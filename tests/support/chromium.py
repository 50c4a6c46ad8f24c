"""Debian's Chromium without a screen: a page as it looks at a width, and what is left of it as text."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "Chromium is not installed: apt-get install chromium"
SECONDS_MAX = 60


def _run(profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--no-first-run", "--disable-background-networking", "--disable-extensions", "--disable-sync", "--no-zygote", f"--user-data-dir={profile}", *options,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=True)


def screenshot(page: Path, width: int, height: int, to: Path) -> bytes:
    """A picture of the page in a window of that size."""
    _run(to.parent / "profile", f"--window-size={width},{height}", f"--screenshot={to}", page.as_uri())
    return to.read_bytes()


def dom(page: Path, width: int) -> str:
    """The page as Chromium has it after loading."""
    return _run(page.parent / "profile", f"--window-size={width},900", "--dump-dom", page.as_uri()).stdout
