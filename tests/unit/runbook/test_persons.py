from __future__ import annotations

from runbook.persons import same_person


def test_names_are_compared_as_people_mean_them() -> None:
    assert same_person("  Alice  Smith ") == same_person("alice smith")
