import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.xml_model import read_xml
from shadow.xml_pair import read_changed
from shadow.xml_texts import other_texts
from tests.unit.shadow.test_xml_pair import found_in

INSIDE = (
    "",
    "1",
    "x &amp; y",
    " ",
    ">",
    "=",
    "<![CDATA[x & y]]>",
    "<!-- - -->",
    "1<!--{{0}}:a-->2",
    "<![CDATA[<{0}:a>]]>",
)
DEFAULT = re.compile(r"(</?)p:")


def texts(control: str, candidate: str) -> object:
    return other_texts(control.encode(), candidate.encode(), ("", ""))


def document(chance: random.Random, prefixes: tuple[str, str]) -> str:
    def element(depth: int) -> str:
        name = chance.choice(("a", "b", "{0}:a", "{1}:b"))
        inside = chance.choice(INSIDE) if not depth or chance.random() < 0.4 else ""
        children = "" if inside else "".join(element(depth - 1) for _ in range(chance.randrange(3) if depth else 0))
        attribute = chance.choice(("", "", "", ' k="1"', ' k="1" l="{0}:x"', ' {1}:k="2"', ' k=">"'))
        return f"<{name}{attribute}>{inside}{children}</{name}>"

    body = "".join(element(3) for _ in range(3))
    return f'<r xmlns:{{0}}="urn:1" xmlns:{{1}}="urn:2">{body}</r>'.format(*prefixes)


@given(st.randoms(use_true_random=False))
def test_other_prefixes_and_texts_are_found_as_two_parsers_would(chance: random.Random) -> None:
    seed = chance.random()
    control = document(random.Random(seed), ("p", "q"))
    candidate = document(random.Random(seed), chance.choice((("p", "q"), ("v", "w"), ("q", "p"), ("p", "r"))))
    if chance.random() < 0.3:
        control = DEFAULT.sub(r"\1", control.replace("xmlns:p=", "xmlns="))
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(candidate))
        candidate = candidate[:at] + chance.choice('12x<>/&;pqvw:=" ') + candidate[at + chance.randrange(2) :]
    whole = found_in(read_xml(control.encode()), read_xml(candidate.encode()))
    parts = found_in(*read_changed(control.encode(), candidate.encode()))
    assert parts == whole


def test_texts_are_found_by_the_number_of_their_element() -> None:
    control = '<s:r xmlns:s="urn:1"><s:a>1</s:a><s:b><s:c>2</s:c></s:b><s:d>3</s:d></s:r>'
    candidate = control.replace("s:", "t:").replace("xmlnt:s", "xmlns:t").replace(">2<", ">2&#33;<")
    assert texts(control, candidate) == {3: "2!"}


@pytest.mark.parametrize(
    "candidate",
    [
        '<s:r xmlns:s="urn:2"><s:a>1</s:a></s:r>',
        '<s:r xmlns:s="urn:1"><s:a>1</s:a><s:a/></s:r>',
        '<s:r xmlns:s="urn:1"><s:a x="1">1</s:a></s:r>',
        '<s:r xmlns:s="urn:1"><s:a><![CDATA[1]]</s:a></s:r>',
        '<s:r xmlns:s="urn:1"><s:a>1<!-- -- --></s:a></s:r>',
        '<s:r xmlns:s="urn:1"><s:a>1<!--\x01--></s:a></s:r>',
        '<s:r xmlns:s="urn:1"><s:a>1</s:a></s:r><!DOCTYPE s>',
        '<r xmlns="urn:1"><a>1</a></r><a/>',
        '<r xmlns="urn:1"><s:a>1</s:a></r>',
        '<r xmlns=""><a>1</a></r>',
        '<t:r xmlns:t="urn:1"><t:a t:x="1">1</t:a></t:r>',
        '<s:r xmlns:s="urn:1"><s:a xml:space="preserve">1</s:a></s:r>',
        '<s:r xmlns:s="urn:1"><s:a>&no;</s:a></s:r>',
        '<s:r xmlns:s="urn:1"><s:a>2]]></s:a></s:r>',
        '<t:r xmlns:t="urn:1"><s:a>1</s:a></t:r>',
        '<t:r xmlns:t="urn:1"><t:a>1</s:a></t:r>',
        '<s:r xmlns:s="urn:1">2<s:a>1</s:a></s:r>',
        '<s:r xmlns:s="urn:1"><s:a>1</s:a>2</s:r>',
        '<?xml version="1.0" encoding="utf-16"?><s:r xmlns:s="urn:1"><s:a>1</s:a></s:r>',
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(candidate: str) -> None:
    assert texts('<s:r xmlns:s="urn:1"><s:a>1</s:a></s:r>', candidate) is None


def test_a_declaration_inside_a_text_is_none() -> None:
    control = '<s:r xmlns:s="urn:1"><s:a>{}</s:a></s:r>'
    assert texts(control.format(' xmlns:x="u"'), control.format(' xmlns:y="u"')) is None


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        ('<r xmlns="urn:1"><a>1</a></r>', {}),
        ('<r xmlns="urn:1"><a>2</a></r>', {1: "2"}),
        ('<t:r xmlns:t="urn:1"><!-- here --><t:a><![CDATA[1]]></t:a></t:r>', {}),
        ('<t:r xmlns:t="urn:1"><t:a><![CDATA[<&]]></t:a></t:r>', {1: "<&"}),
        ('<s:r xmlns:s="urn:1"><s:a>=1</s:a></s:r>', {1: "=1"}),
    ],
)
def test_what_a_library_likes_makes_no_difference(candidate: str, expected: dict[int, str]) -> None:
    assert texts('<s:r xmlns:s="urn:1"><s:a>1</s:a></s:r>', candidate) == expected


def test_attributes_that_are_the_same_may_be_anywhere() -> None:
    control = '<s:r xmlns:s="urn:1" v="1"><s:a id="1">1</s:a><s:b/></s:r>'
    assert texts(control, control.replace("s:", "t:").replace("xmlnt:s", "xmlns:t").replace(">1<", ">2<")) == {1: "2"}
    assert texts(control, control.replace('id="1"', 'id="2"')) is None
