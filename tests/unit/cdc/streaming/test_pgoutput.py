from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from cdc.streaming import pgoutput
from cdc.streaming.pgoutput import UNCHANGED_VALUE, Begin, Commit, LogicalMessage
from tests.support import pgoutput_encoder as encode

lsns = st.integers(0, 2**64 - 1)
times = st.integers(-(2**63), 2**63 - 1)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
rows = st.lists(st.one_of(st.binary(max_size=40), st.none(), st.just(encode.UNCHANGED)), max_size=8)


@given(lsns, times, st.integers(0, 2**32 - 1))
def test_begin(final_lsn: int, commit_us: int, xid: int) -> None:
    data = encode.begin(final_lsn, commit_us, xid)
    assert pgoutput.begin(data) == Begin(final_lsn, commit_us, xid)


@given(lsns, lsns.filter(bool), times)
def test_commit(end_lsn: int, commit_lsn: int, commit_us: int) -> None:
    assert pgoutput.commit(encode.commit(end_lsn, commit_us, commit_lsn)) == Commit(commit_lsn, end_lsn, commit_us)


@given(names)
def test_origin(name: str) -> None:
    assert pgoutput.origin(encode.origin(name)) == name


@given(names, st.lists(st.tuples(names, st.integers(0, 2**32 - 1), st.integers(-1, 2**31 - 1), st.booleans())))
def test_relation(name: str, columns: list[tuple[str, int, int, bool]]) -> None:
    relation = pgoutput.relation(encode.relation(7, name, columns, schema="public", identity="f"))
    assert (relation.id, relation.table, relation.identity) == ((7).to_bytes(4, "big"), name, "f")
    assert [(one.name, one.type_oid, one.modifier, one.is_key) for one in relation.columns] == columns


def test_a_table_outside_of_public_is_named_with_its_schema() -> None:
    assert pgoutput.relation(encode.relation(7, "t", [], schema="bank")).table == "bank.t"
    assert pgoutput.relation(encode.relation(7, "t", [], schema="")).table == "pg_catalog.t"


@given(names, st.binary(), st.booleans(), lsns)
def test_message(prefix: str, content: bytes, is_transactional: bool, lsn: int) -> None:
    data = encode.message(prefix, content, is_transactional=is_transactional, lsn=lsn)
    assert pgoutput.message(data) == LogicalMessage(is_transactional, lsn, prefix, content)


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_truncate(identifiers: list[int]) -> None:
    assert pgoutput.truncate(encode.truncate(*identifiers)) == tuple(one.to_bytes(4, "big") for one in identifiers)


@given(rows)
def test_a_tuple_is_read_and_written_back(row: list[encode.Value]) -> None:
    data = encode.insert(1, row) + b"rest"
    read, at = pgoutput.read_tuple(data, pgoutput.TUPLE)
    assert read == [UNCHANGED_VALUE if value == encode.UNCHANGED else value for value in row]
    assert data[at:] == b"rest"
    assert pgoutput.write_tuple(read) == data[pgoutput.TUPLE : at]


def test_a_tuple_of_texts_is_read_and_written_back() -> None:
    data = b"\0\1t\0\0\0\1x"
    assert pgoutput.read_tuple(data, 0) == ([b"x"], len(data))
    assert pgoutput.write_tuple([b"x"], b"t") == data


@given(lsns, st.booleans())
def test_keepalive(wal_end: int, wants_reply: bool) -> None:
    assert pgoutput.keepalive(encode.keepalive(wal_end, wants_reply=wants_reply)) == (wal_end, wants_reply)


def test_a_status_confirms_only_what_is_durable() -> None:
    update = pgoutput.status(0x50, 0x40, datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC))
    assert update == b"r" + b"".join(n.to_bytes(8, "big") for n in (0x50, 0x40, 0x40, 1_000_000)) + b"\0"
    assert len(update) == 34


@given(lsns)
def test_positions_are_written_as_postgresql_writes_them(position: int) -> None:
    assert pgoutput.parse_lsn(pgoutput.format_lsn(position)) == position
    assert pgoutput.format_lsn(0x1_0000_00AB) == "1/AB"


def test_times_count_from_2000() -> None:
    assert pgoutput.as_datetime(1_500_000) == datetime(2000, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert pgoutput.sent_us(encode.framed(b"B", sent_us=42)) == 42
