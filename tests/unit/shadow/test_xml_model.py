import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.json_model import Document, Unreadable
from shadow.markup import Element, Repeated
from shadow.xml_model import DEPTH_MAX, read_xml


def tree(text: str) -> object:
    document = read_xml(text.encode())
    assert isinstance(document, Document)
    return document.tree


def test_prefixes_quotes_cdata_comments_and_the_order_of_attributes_make_no_difference() -> None:
    one = '<a:x xmlns:a="urn:b" p="1" q="2"><a:y>&lt;1</a:y></a:x>'
    other = "<?xml version='1.0'?><!-- c --><x q='2' p='1' xmlns='urn:b'><y><![CDATA[<1]]></y><?pi?></x>"
    assert tree(one) == tree(other)


def test_names_in_another_namespace_are_others() -> None:
    assert tree('<x xmlns="urn:1"/>') != tree('<x xmlns="urn:2"/>')
    assert tree("<x><y/></x>") != tree('<x><y xmlns="urn:2"/></x>')


def test_white_space_between_elements_is_none_and_that_of_a_text_is() -> None:
    assert tree("<x>\n  <y>1</y>\n</x>") == tree("<x><y>1</y></x>")
    assert tree("<x><y> 1</y></x>") != tree("<x><y>1</y></x>")
    assert tree('<x xml:space="preserve"> <y/></x>') != tree('<x xml:space="preserve"><y/></x>')


def test_a_name_that_occurs_twice_is_a_list_and_the_order_of_children_is_kept() -> None:
    found = tree("<x><y>1</y><z/><y>2</y></x>")
    assert found == {"x": {"y": ["1", "2"], "z": ""}}
    assert isinstance(found, Element)
    assert isinstance(found["x"]["y"], Repeated)
    assert found["x"].order == ("y", "z", "y")


def test_a_type_is_known_by_its_namespace_whatever_its_prefix() -> None:
    instance = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
    assert tree(f'<x xmlns:a="urn:t" {instance} i:type="a:T"/>') == tree(
        f'<x xmlns:b="urn:t" {instance} i:type="b:T"/>'
    )


BOMB = "<!DOCTYPE a [<!ENTITY a '1234567890'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<a>", "malformed_xml"),
        ("", "malformed_xml"),
        ("<a>\x00</a>", "malformed_xml"),
        ("<a>&nope;</a>", "malformed_xml"),
        (BOMB + "]><a>&j;</a>", "doctype"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "doctype"),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>', "doctype"),
        ("<!DOCTYPE a [<!ATTLIST a b CDATA 'c'>]><a/>", "doctype"),
        ("<a>" * (DEPTH_MAX + 2) + "</a>" * (DEPTH_MAX + 2), "too_deep"),
        ("<a>" * 10_000 + "</a>" * 10_000, "too_deep"),
    ],
)
def test_what_cannot_or_must_not_be_read_is_said(text: str, reason: str) -> None:
    assert read_xml(text.encode()) == Unreadable(reason)


def test_a_document_in_another_encoding_cannot_hide_its_type() -> None:
    text = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    assert read_xml(text.encode("utf-16")) == Unreadable("doctype")


def test_the_charset_of_the_header_overrules_the_documents() -> None:
    document = read_xml("<a>é</a>".encode("latin-1"), "iso-8859-1")
    assert isinstance(document, Document)
    assert document.tree == {"a": "é"}
    assert read_xml(b"<a/>", "no-such") == Unreadable("unknown_charset")
    assert read_xml(b"<a>\xff</a>") == Unreadable("malformed_xml")


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(read_xml(body), Document | Unreadable)
