import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.form_model import parameters, read_form, read_multipart
from shadow.json_model import Document, Unreadable

TYPE = 'multipart/form-data; boundary="a b"'


def content(body: bytes, media: str) -> object:
    return f"{media}:{body.decode('latin-1')}"


def test_fields_by_name_and_those_that_come_twice_in_a_list() -> None:
    document = read_form(b"b=%C3%A9&a=1&a=&c=x+y")
    assert isinstance(document, Document)
    assert document.tree == {"b": "é", "a": ["1", ""], "c": "x y"}


@pytest.mark.parametrize("body", [b"a", b"a=%ff", b"\xff=1", b"&".join([b"a=1"] * 10_001)])
def test_what_is_no_form_is_malformed(body: bytes) -> None:
    assert isinstance(read_form(body), Unreadable)


def test_parts_by_name_whatever_the_boundary() -> None:
    body = (
        b'preamble\r\n--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n2\r\n'
        b'--a b  \r\ncontent-disposition: form-data; name="f"; filename="n.txt"\r\nContent-Type: text/x\r\n\r\nz\r\n--a b--\r\n'
    )
    document = read_multipart(body, TYPE, content)
    assert isinstance(document, Document)
    assert document.tree == {
        "x": {"@type": "text/plain", "content": "text/plain:1\r\n2"},
        "f": {"@type": "text/x", "content": "text/x:z", "@filename": "n.txt"},
    }


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"--a b\r\n\r\n1\r\n--a b--", "multipart/form-data"),
        (b"--a b\r\n\r\n1\r\n", TYPE),
        (b"nothing", TYPE),
        (b"--a b\r\nno blank line\r\n--a b--", TYPE),
        (b"--a b" + b"\r\n\r\n1\r\n--a b" * 201 + b"--", TYPE),
    ],
)
def test_what_is_no_multipart_is_malformed(body: bytes, media: str) -> None:
    assert read_multipart(body, media, content) == Unreadable("malformed_multipart")


def test_a_part_that_cannot_be_read_makes_the_whole_unreadable() -> None:
    body = b"--a b\r\nContent-Type: application/json\r\n\r\n{\r\n--a b--"
    assert read_multipart(body, TYPE, lambda *_: Unreadable("malformed_json")) == Unreadable("malformed_json")


def test_parameters_of_a_header() -> None:
    assert parameters('x; A="b;\\"c"; d=e') == {"a": 'b;"c', "d": "e"}


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(read_form(body), Document | Unreadable)
    assert isinstance(read_multipart(b"--a b\r\n" + body + b"\r\n--a b--", TYPE, content), Document | Unreadable)
