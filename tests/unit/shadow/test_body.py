from shadow.body import is_html, is_json, is_text, is_xml, read_record, read_text, read_tree
from shadow.head_model import head_of
from shadow.json_model import Document, Unreadable
from shadow.rules import Form
from tests.support.answers import answer


def test_kinds_of_media() -> None:
    assert all(map(is_json, ["application/json", "application/problem+json"]))
    assert all(map(is_text, ["text/html", "text/plain"]))
    assert all(map(is_xml, ["application/soap+xml", "application/xml", "text/xml"]))
    assert is_html("application/xhtml+xml")
    assert not is_xml("application/xhtml+xml")
    assert not is_json("application/octet-stream")
    assert not is_text("")


def test_a_record_is_read_by_the_routes_layout_unless_the_answer_is_json() -> None:
    def decode(raw: bytes) -> object:
        return {"tran": raw[:4].decode("cp037")}

    block = head_of(answer(b"", headers=(("content-type", "application/octet-stream"),)))
    assert read_tree("INQA".encode("cp037"), block, Form(), decode) == Document({"tran": "INQA"}, b"")
    assert read_tree(b'{"a":1}', head_of(answer(b"")), Form(), decode) == Document({"a": 1}, b'{"a":1}')
    assert read_tree(b"x", block, Form(), None) is None


def test_findings_and_errors_of_a_decoder_make_a_body_undecodable() -> None:
    assert read_record(b"x", lambda raw: ["field A is not a number"]) == Unreadable("undecodable")
    assert read_record(b"x", lambda raw: {}[raw]) == Unreadable("undecodable")


def test_text_is_read_in_its_charset() -> None:
    assert read_text("é".encode("latin-1"), "iso-8859-1") == "é"
    assert read_text(b"\xff", "") == Unreadable("invalid_utf8")
    assert read_text(b"x", "no-such-charset") == Unreadable("unknown_charset")
    assert read_text(b"x", "idna") == Unreadable("unknown_charset")
