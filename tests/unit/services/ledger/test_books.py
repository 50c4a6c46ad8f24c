from __future__ import annotations

from services.ledger.books import RULES, Audit, Finding


def test_books_are_sound_without_findings() -> None:
    assert Audit((), ()).is_sound
    assert not Audit((), (Finding("a rule", ("r1",)),)).is_sound


def test_every_rule_names_where_it_is_broken_and_is_bounded() -> None:
    assert all(query.rstrip().endswith("LIMIT %s") for query in RULES.values())
