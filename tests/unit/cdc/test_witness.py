import pytest

from cdc.witness import alarm, shown_key, shown_writer
from tests.support import pgoutput_encoder as encode
from tests.support.small_mapping import RELATION_ID, key, small_layout

LAYOUT = small_layout()


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"application": "psql", "role": "ada"}, "psql (role ada)"),
        ({"application": "", "role": "ada"}, "a connection without application_name (role ada)"),
        ({}, "a writer that fired no trigger"),
    ],
)
def test_a_writer_is_named_as_far_as_is_known(facts: dict[str, str | None], shown: str) -> None:
    assert shown_writer(facts) == shown


def test_a_key_is_shown_and_nothing_else_of_the_row() -> None:
    change = encode.insert(RELATION_ID, (b"", key(7), b"a secret"))
    assert shown_key(LAYOUT, change) == '{"id": 7}'
    assert "secret" not in alarm(LAYOUT, change, {})
