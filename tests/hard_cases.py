"""The streams' hard cases by version of PostgreSQL: runs their scenarios on each that is here, and prints the matrix.

python -m tests.hard_cases [VERSION...]      versions are Debian's packages, or the embedded one (18)
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

VERSIONS = ("15", "18")
FILES = sorted(str(path) for path in Path("tests/scenarios").glob("test_stream_*.py") if "crash" not in path.name)


def outcomes(version: str, report: Path) -> dict[str, str]:
    """Case to outcome: ok, FAILED or skipped."""
    environment = {**os.environ, "STRANGLER_TEST_POSTGRES": version}
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", "-p", "no:cacheprovider", *FILES]
    subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
    found = {}
    for case in ET.parse(report).iter("testcase"):
        children = {child.tag for child in case}
        name = (
            f"{case.get('classname', '').rpartition('.')[2].removeprefix('test_stream_')}: {case.get('name', '')[5:]}"
        )
        found[name.replace("_", " ")] = (
            "skipped" if "skipped" in children else "FAILED" if children & {"failure", "error"} else "ok"
        )
    return found


def main() -> int:
    versions = sys.argv[1:] or VERSIONS
    with tempfile.TemporaryDirectory() as folder:
        by_version = {version: outcomes(version, Path(folder) / f"{version}.xml") for version in versions}
    names = sorted({name for found in by_version.values() for name in found})
    sys.stdout.write(f"{'case':100}" + "".join(f"{version:>9}" for version in versions) + "\n")
    for name in names:
        sys.stdout.write(
            f"{name[:100]:100}" + "".join(f"{found.get(name, '-'):>9}" for found in by_version.values()) + "\n"
        )
    failed = sum(outcome == "FAILED" for found in by_version.values() for outcome in found.values())
    sys.stdout.write(f"{len(names)} cases, {failed} failed" + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
