from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from services.dry_run.effects import (
    DIGEST_DIGITS,
    LISTED_MAX,
    Effect,
    Effects,
    current,
    is_dry_run,
    recording,
    withholds,
)

ITEM = re.compile(r'event;suppressed;topic="[A-Za-z0-9._~:/{}\[\]_-]{0,100}";digest="[0-9a-f]{16}"')


def test_outside_a_dry_run_nothing_is_withheld() -> None:
    assert not withholds("transfer.booked", b"{}")
    assert current() is None
    assert not is_dry_run()


def test_an_event_is_withheld_in_a_dry_run_and_recorded_by_topic_and_digest() -> None:
    effects = Effects()
    with recording(effects):
        assert is_dry_run()
        assert withholds("transfer.booked", b"GB29NWBK60161331926819")
    digest = hashlib.sha256(b"GB29NWBK60161331926819").hexdigest()[:DIGEST_DIGITS]
    assert effects.header() == f'event;suppressed;topic="transfer.booked";digest="{digest}"'
    assert not is_dry_run()


@given(st.text(), st.binary())
def test_nothing_that_is_recorded_can_add_an_item_or_a_line_to_the_header(topic: str, payload: bytes) -> None:
    effects = Effects()
    with recording(effects):
        withholds(topic, payload)
    assert ITEM.fullmatch(effects.header())


def test_the_digest_of_a_service_with_a_key_is_another_one() -> None:
    assert Effects(b"key").digest_of(b"1") not in (Effects().digest_of(b"1"), Effects(b"other").digest_of(b"1"))
    assert Effects(b"key").digest_of(b"1") == Effects(b"key").digest_of(b"1")


def _of(count: int, last: str = "1") -> str:
    effects = Effects()
    for _ in range(count - 1):
        effects.add(Effect("event", (("topic", "x" * 1000),), "0" * DIGEST_DIGITS))
    effects.add(Effect("event", (("topic", "x"),), last))
    return effects.header()


def test_the_record_is_bounded_and_still_tells_what_it_does_not_list() -> None:
    many = _of(LISTED_MAX + 5000)
    assert len(many) < 4096
    assert "more;count=5000;" in many
    assert many == _of(LISTED_MAX + 5000)
    assert many != _of(LISTED_MAX + 5000, last="2")


def test_a_record_says_that_it_is_empty_and_that_it_is_not_complete() -> None:
    assert Effects().header() == "none"
    assert Effects().header(is_complete=False) == "incomplete"
