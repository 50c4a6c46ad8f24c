from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill.mutation_report import SOUND, Found, document, is_good, read, table


def found(invariant: str, bug: str = "a bug", seed: int = 1) -> Found:
    return Found(bug, "what is wrong", invariant, "one | two\nthree", "nothing happens", 1, 1.0, seed)


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


def test_the_page_has_one_row_for_each_world_and_says_who_went_unnoticed() -> None:
    page = document([found("", SOUND), found("I1"), found("", "another bug")])
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 3
    assert all(row.count(" | ") == 5 for row in rows)
    assert "**1 of 2 found**" in page
    assert "| another bug | what is wrong | **nobody** |" in page


def test_what_is_kept_is_read_again_for_its_seed_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert read(kept, 1) == []
    for one in (found("I1"), found("I2", seed=2), found("", SOUND)):
        one.append_to(kept)
    assert read(kept, 1) == [found("I1"), found("", SOUND)]
