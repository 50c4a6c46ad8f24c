from __future__ import annotations

import pytest

from tests.kill.mutation import SOUND, Found, is_good, table


def found(invariant: str, bug: str = "a bug") -> Found:
    return Found(bug, "", invariant, "", 1, 1.0)


def test_a_world_that_fails_by_itself_counts_as_not_caught() -> None:
    assert "mutation score: 1 of 3" in table([found("", SOUND), found("I1"), found("harness"), found("")])


@pytest.mark.parametrize(
    ("uncaught", "without_a_bug", "expected"),
    [([], "", True), ([""], "", True), (["harness"], "", True), (["harness", ""], "", False), (["harness"] * 2, "", False),
     ([], "I1", False), ([], "harness", False)],
)  # fmt: skip
def test_one_in_twenty_five_may_go_uncaught_and_nothing_may_be_found_without_a_bug(
    uncaught: list[str], without_a_bug: str, expected: bool
) -> None:
    worlds = [found("I1")] * (25 - len(uncaught)) + [found(one) for one in uncaught]
    assert is_good([found(without_a_bug, SOUND), *worlds]) is expected
