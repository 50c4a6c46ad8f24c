from datetime import UTC, datetime

import msgspec

from gateway.mirroring.partners import Partners
from shadow.correspondence import Belonging, Told


def piece(*ids: tuple[int, str], age: float = 0.0, is_anew: bool = False) -> bytes:
    at = datetime.now(UTC).timestamp() - age
    belonging = tuple(Belonging("transfer", legacy, modern, at) for legacy, modern in ids)
    return msgspec.msgpack.encode(Told("accounts", 60.0, belonging, is_anew))


def test_what_was_told_is_known_from_both_sides_in_its_capability() -> None:
    partners = Partners()
    partners.take(piece((1, "a"), is_anew=True))
    partners.take(piece((2, "b")))
    assert partners.partner("accounts", "legacy", "transfer", "1") == "a"
    assert partners.partner("accounts", "modern", "transfer", "b") == 2
    assert partners.partner("payments", "legacy", "transfer", "1") is None


def test_a_new_beginning_voids_what_was_known_and_old_ids_expire() -> None:
    partners = Partners()
    partners.take(piece((1, "a"), is_anew=True))
    partners.take(piece((1, "c"), is_anew=True))
    assert partners.partner("accounts", "legacy", "transfer", "1") == "c"
    partners.take(piece((3, "d"), age=120.0, is_anew=True))
    assert partners.partner("accounts", "legacy", "transfer", "3") is None


def test_a_damaged_piece_changes_nothing() -> None:
    partners = Partners()
    partners.take(piece((1, "a")))
    partners.take(b"\xc1")
    assert partners.partner("accounts", "legacy", "transfer", "1") == "a"
