import re
from pathlib import Path

from cdc import crash_points
from cdc.crash_points import SETUP_POINTS, STREAM_POINTS

CDC = Path(crash_points.__file__).parent


def test_the_list_and_the_code_name_the_same_moments() -> None:
    code = "".join(path.read_text() for path in sorted(CDC.rglob("*.py")))
    assert sorted(re.findall(r'reached\("([a-z._]+)"\)', code)) == sorted([*SETUP_POINTS, *STREAM_POINTS])


def test_nothing_happens_at_them() -> None:
    assert crash_points.reached("apply.begun") is None
