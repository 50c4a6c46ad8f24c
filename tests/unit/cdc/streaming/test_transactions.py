import json

import pytest

from cdc.sentinel import SENTINEL, SENTINEL_TABLE
from cdc.streaming.batch import Rekey, Truncate
from cdc.streaming.pgoutput import DELETE, KIND, TUPLE_KIND, UPDATE
from cdc.streaming.stream_errors import RelationChanged
from cdc.streaming.transactions import Expected, Transactions, is_plain
from tests.support import pgoutput_encoder as encode
from tests.support.small_mapping import COLUMNS, INT4, RELATION_ID, TEXT_OID, key, small_mapping

SENTINEL_ID = 4712
SENTINEL_COLUMNS = (("id", TEXT_OID, -1, True), ("direction", TEXT_OID, -1, True), ("at", 1184, -1, False))
TYPES = {
    "item": {name: (oid, modifier) for name, oid, modifier, _ in COLUMNS},
    SENTINEL_TABLE: {name: (oid, modifier) for name, oid, modifier, _ in SENTINEL_COLUMNS},
}


def transactions(mode: str = "apply", checkpoint: int = 100) -> Transactions:
    mappings = {"item": small_mapping(), SENTINEL_TABLE: SENTINEL}
    one = Transactions(Expected("accounts:forward", checkpoint, mode, mappings, TYPES, SENTINEL_TABLE))
    feed(
        one,
        encode.relation(RELATION_ID, "item", COLUMNS),
        encode.relation(SENTINEL_ID, "sentinel", SENTINEL_COLUMNS, schema="strangler"),
    )
    return one


def feed(one: Transactions, *messages: bytes) -> None:
    """As the reader does: plain changes go in by themselves while they are carried."""
    for data in messages:
        if data[KIND] in b"IUD" and one.is_carrying and is_plain(data):
            one.changes.append(data)
        else:
            one.feed(data)


def insert(number: int = 1) -> bytes:
    return encode.insert(RELATION_ID, (b"", key(number), b"body"))


def marker(stream: str = "accounts:forward", mode: str | None = None, name: str = "m1") -> bytes:
    return encode.message("strangler", json.dumps({"stream": stream, "marker": name, "mode": mode}).encode())


def test_a_transaction_is_carried_and_moves_the_position() -> None:
    one = transactions()
    feed(one, encode.begin(100, 7), insert(), encode.commit(120, 7))
    part = one.seal()
    assert part.changes == [insert()]
    assert part.ending is not None
    assert (part.ending.position, part.ending.commit_us, part.ending.transactions) == (120, 7, 1)
    assert not one.has_news


def test_what_was_applied_is_skipped_and_the_checkpoint_itself_is_not() -> None:
    one = transactions(checkpoint=100)
    feed(one, encode.begin(99), insert(), encode.commit(100))
    assert (one.has_news, one.changes) == (False, [])
    feed(one, encode.begin(100), insert(), encode.commit(110))
    assert (one.has_news, one.changes) == (True, [insert()])


@pytest.mark.parametrize(
    "tag",
    [
        encode.origin("strangler:accounts:reverse"),
        encode.origin("strangler:accounts:forward:backfill-0"),
        encode.message("strangler.origin", b"accounts:reverse"),
    ],
)
@pytest.mark.parametrize("mode", ["apply", "skip"])
def test_our_own_transactions_are_skipped(tag: bytes, mode: str) -> None:
    one = transactions(mode)
    feed(one, encode.begin(100), tag, insert(), encode.truncate(RELATION_ID), encode.commit(120))
    part = one.seal()
    assert part.changes == []
    assert part.ending is not None
    assert (part.ending.position, part.ending.skipped, part.ending.transactions, part.ending.alarms) == (120, 1, 0, 0)


def test_what_others_replicate_into_the_source_is_carried() -> None:
    one = transactions()
    feed(one, encode.begin(100), encode.origin("strangler:cards:forward"), insert(), encode.commit(120))
    feed(one, encode.begin(120), encode.origin("pg_16384"), insert(2), encode.commit(140))
    assert one.changes == [insert(), insert(2)]


def test_a_tag_ends_with_its_transaction() -> None:
    one = transactions()
    feed(one, encode.begin(100), encode.origin("strangler:accounts:reverse"), insert(), encode.commit(120))
    feed(one, encode.begin(120), insert(2), encode.commit(140))
    assert one.changes == [insert(2)]


def test_in_mode_skip_other_writes_are_alarms() -> None:
    one = transactions("skip")
    feed(one, encode.begin(100), insert(), insert(2), encode.truncate(RELATION_ID), encode.commit(120))
    part = one.seal()
    assert part.changes == []
    assert part.ending is not None
    assert part.ending.alarms == 3
    assert part.ending.last_alarm == "item all rows (TRUNCATE) by a writer that fired no trigger"


def test_an_alarm_names_the_writer_of_its_own_transaction() -> None:
    one = transactions("skip")
    said = encode.message("strangler.writer", b'{"application": "psql", "role": "ada"}')
    feed(one, encode.begin(100), said, insert(7), encode.commit(120))
    first = one.seal().ending
    feed(one, encode.begin(120), insert(8), encode.commit(140))
    second = one.seal().ending
    assert first is not None
    assert second is not None
    assert first.last_alarm == 'item {"id": 7} by psql (role ada)'
    assert second.last_alarm == 'item {"id": 8} by a writer that fired no trigger'


def test_the_sentinel_is_carried_in_mode_skip() -> None:
    one = transactions("skip")
    row = encode.insert(SENTINEL_ID, (b"s1", b"reverse", bytes(8)))
    feed(one, encode.begin(100), row, encode.delete(SENTINEL_ID, (b"s1", b"reverse", None)), encode.commit(120))
    part = one.seal()
    assert part.changes == [row]
    assert part.ending is not None
    assert part.ending.alarms == 0


def test_a_marker_changes_the_mode_at_its_place() -> None:
    one = transactions()
    feed(one, encode.begin(100), insert(), marker(mode="skip"), insert(2), encode.commit(120))
    assert one.has_marker
    part = one.seal()
    assert part.changes == [insert()]
    assert part.ending is not None
    assert (part.ending.marker, part.ending.marker_position, part.ending.mode) == ("m1", 120, "skip")
    assert part.ending.alarms == 1
    feed(one, encode.begin(120), insert(3), marker(mode="apply", name="m2"), encode.commit(140))
    feed(one, encode.begin(140), insert(4), encode.commit(150))
    assert one.changes == [insert(4)]


@pytest.mark.parametrize(
    "data",
    [marker("cards:forward"), encode.message("strangler", b"not json"), encode.message("strangler", b"[1]")],
)
def test_messages_that_are_not_for_us_say_nothing(data: bytes) -> None:
    one = transactions()
    feed(one, encode.begin(100), data, encode.commit(120))
    assert not one.has_marker


def test_a_heartbeat_is_noted() -> None:
    one = transactions()
    beat = encode.message("strangler.heartbeat", b'{"heartbeat": "2026-11-24T00:00:00+00:00"}')
    nonsense = encode.message("strangler.heartbeat", b'{"heartbeat": "soon"}')
    feed(one, encode.begin(100), beat, nonsense, encode.commit(120))
    ending = one.seal().ending
    assert ending is not None
    assert ending.heartbeat == "2026-11-24T00:00:00+00:00"


def test_truncate_ends_the_part() -> None:
    one = transactions()
    feed(one, encode.begin(100), insert(), encode.truncate(RELATION_ID, 99), insert(2), encode.commit(120))
    (before,) = one.ready
    assert (before.changes, before.ending) == ([insert()], None)
    after = one.seal()
    assert isinstance(after.first, Truncate)
    assert after.changes == [insert(2)]
    assert after.ending is not None


def test_a_key_that_changes_is_a_delete_and_a_row() -> None:
    one = transactions()
    update = encode.update(RELATION_ID, (b"", key(2), b"body"), old=(None, key(1), None))
    feed(one, encode.begin(100), update, encode.commit(120))
    assert [change[KIND] for change in one.changes] == [DELETE, UPDATE]
    assert one.changes[0][TUPLE_KIND:] == encode.delete(RELATION_ID, (None, key(1), None))[TUPLE_KIND:]
    assert is_plain(one.changes[1])


def test_a_key_that_changes_without_its_large_value_stands_alone() -> None:
    one = transactions()
    update = encode.update(RELATION_ID, (b"", key(2), encode.UNCHANGED), old=(None, key(1), None))
    feed(one, encode.begin(100), insert(7), update, insert(8), encode.commit(120))
    before, rekey = one.ready
    assert before.changes == [insert(7)]
    assert isinstance(rekey.first, Rekey)
    assert one.changes == [insert(8)]


def test_with_the_whole_old_row_missing_values_are_filled() -> None:
    one = transactions()
    old = (b"", key(1), b"large")
    feed(one, encode.begin(100), encode.update(RELATION_ID, (b"", key(1), encode.UNCHANGED), old=old, kind=b"O"))
    assert one.changes == [encode.update(RELATION_ID, (b"", key(1), b"large"))]


def test_a_relation_that_comes_again_unchanged_ends_nothing() -> None:
    one = transactions()
    feed(one, encode.begin(100), insert(), encode.relation(RELATION_ID, "item", COLUMNS), insert(2), encode.commit(120))
    assert one.ready == []


def test_a_column_that_nobody_reads_may_come() -> None:
    one = transactions()
    more = (("added", TEXT_OID, -1, False), *COLUMNS)
    wide = encode.insert(RELATION_ID, (None, b"", key(2), b"body"))
    feed(one, encode.begin(100), insert(), encode.relation(RELATION_ID, "item", more), wide, encode.commit(120))
    (before,) = one.ready
    assert before.changes == [insert()]
    after = one.seal()
    assert after.layouts[RELATION_ID.to_bytes(4, "big")] != before.layouts[RELATION_ID.to_bytes(4, "big")]


@pytest.mark.parametrize(
    ("columns", "identity", "problem"),
    [
        (COLUMNS[:2], "d", "has no column body"),
        ((COLUMNS[0], COLUMNS[1], ("body", 1043, 14, False)), "d", "another type of column body"),
        (COLUMNS, "n", "replica identity"),
        ((COLUMNS[0], ("id", INT4, -1, False), COLUMNS[2]), "i", "replica identity"),
    ],
)
def test_a_relation_that_the_mapping_does_not_know_stops_the_stream(
    columns: tuple[tuple[str, int, int, bool], ...], identity: str, problem: str
) -> None:
    with pytest.raises(RelationChanged, match=problem):
        feed(transactions(), encode.relation(RELATION_ID, "item", columns, identity=identity))


KEYLESS = (COLUMNS[0], ("id", INT4, -1, False), COLUMNS[2])
OURS = encode.origin("strangler:accounts:forward:backfill-0")


def test_a_table_without_its_key_stops_nothing_while_only_we_write_it() -> None:
    one = transactions()
    feed(one, encode.begin(100), OURS, encode.relation(RELATION_ID, "item", KEYLESS), insert(), encode.commit(120))
    feed(one, encode.begin(120), encode.relation(RELATION_ID, "item", COLUMNS), insert(2), encode.commit(140))
    assert one.changes == [insert(2)]


def test_a_table_that_still_has_no_key_stops_the_stream_at_the_next_change_of_others() -> None:
    one = transactions()
    feed(one, encode.begin(100), OURS, encode.relation(RELATION_ID, "item", KEYLESS), insert(), encode.commit(120))
    with pytest.raises(RelationChanged, match="replica identity"):
        feed(one, encode.begin(120), insert(2))


def test_inside_a_transaction_a_part_has_no_ending() -> None:
    one = transactions()
    feed(one, encode.begin(100), insert())
    assert one.seal().ending is None
    feed(one, insert(2), encode.commit(120))
    ending = one.seal().ending
    assert ending is not None
    assert ending.transactions == 1


def test_what_came_before_the_open_transaction_can_end_by_itself() -> None:
    one = transactions()
    feed(one, encode.begin(100), insert(), encode.commit(120), encode.begin(120), insert(2), marker())
    whole = one.seal_whole()
    assert whole is not None
    assert whole.changes == [insert()]
    assert whole.ending is not None
    assert (whole.ending.position, whole.ending.transactions, whole.ending.marker) == (120, 1, None)
    assert one.seal_whole() is None
    feed(one, encode.commit(140))
    rest = one.seal()
    assert rest.changes == [insert(2)]
    assert rest.ending is not None
    assert (rest.ending.position, rest.ending.marker) == (140, "m1")


def test_a_transaction_that_was_cut_ends_nothing_before_its_own_end() -> None:
    one = transactions()
    feed(one, encode.begin(100), insert(), encode.commit(120), encode.begin(120), insert(2))
    assert one.seal().ending is None
    feed(one, insert(3))
    assert one.seal_whole() is None
