import gzip
import zlib

import pytest

from shadow import body
from shadow.body import head_of, is_json, is_text, read_record, read_text, read_tree, unpacked
from shadow.json_model import Document, Unreadable
from tests.support.answers import answer


def test_the_head_is_read_whatever_its_case() -> None:
    headers = (("CONTENT-TYPE", 'Application/JSON; x=y; Charset="UTF-8"'), ("Location", " /x "), ("X-Other", "1"))
    head = head_of(answer(b"", headers=headers))
    assert (head.media, head.charset, head.encoding, head.others) == (
        "application/json",
        "utf-8",
        "identity",
        {"location": "/x"},
    )


def test_kinds_of_media() -> None:
    assert all(map(is_json, ["application/json", "application/problem+json"]))
    assert all(map(is_text, ["text/html", "application/soap+xml", "application/xml"]))
    assert not is_json("application/octet-stream")
    assert not is_text("")


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda raw: zlib.compress(raw)[2:-4])],
)
def test_a_compressed_body_is_unpacked(encoding: str, pack: object) -> None:
    assert callable(pack)
    assert unpacked(pack(b"x" * 1000), encoding) == b"x" * 1000
    assert unpacked(pack(b"x" * 1000)[:-9], encoding) == Unreadable("malformed_encoding")


def test_a_bomb_is_not_unpacked_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_BYTES_MAX", 1000)
    assert unpacked(gzip.compress(b"x" * 1_000_000), "gzip") == Unreadable("too_large")
    assert unpacked(b"x" * 1001, "identity") == Unreadable("too_large")


def test_an_unknown_encoding_is_said() -> None:
    assert unpacked(b"x", "br") == Unreadable("unknown_encoding")
    assert unpacked(b"not gzip", "gzip") == Unreadable("malformed_encoding")


def test_a_record_is_read_by_the_routes_layout_unless_the_answer_is_json() -> None:
    def decode(raw: bytes) -> object:
        return {"tran": raw[:4].decode("cp037")}

    block = head_of(answer(b"", headers=(("content-type", "application/octet-stream"),)))
    assert read_tree("INQA".encode("cp037"), block, decode) == Document({"tran": "INQA"}, b"")
    assert read_tree(b'{"a":1}', head_of(answer(b"")), decode) == Document({"a": 1}, b'{"a":1}')
    assert read_tree(b"x", block, None) is None


def test_findings_and_errors_of_a_decoder_make_a_body_undecodable() -> None:
    assert read_record(b"x", lambda raw: ["field A is not a number"]) == Unreadable("undecodable")
    assert read_record(b"x", lambda raw: {}[raw]) == Unreadable("undecodable")


def test_text_is_read_in_its_charset() -> None:
    assert read_text("é".encode("latin-1"), "iso-8859-1") == "é"
    assert read_text(b"\xff", "") == Unreadable("invalid_utf8")
    assert read_text(b"x", "no-such-charset") == Unreadable("unknown_charset")
    assert read_text(b"x", "idna") == Unreadable("unknown_charset")
