import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.found import Found
from shadow.json_model import Document, Unreadable
from shadow.rules import NO_RULES
from shadow.walk import walk
from shadow.xml_model import read_xml
from shadow.xml_pair import read_changed


def found_in(control: Document | Unreadable, candidate: Document | Unreadable) -> list[Found] | str:
    if isinstance(control, Unreadable):
        return control.reason
    if isinstance(candidate, Unreadable):
        return candidate.reason
    return walk(control.tree, candidate.tree, NO_RULES.for_markup).found


def written(chance: random.Random, depth: int) -> str:
    name = chance.choice("abc")
    attribute = chance.choice(("", "", "", ' x="1"', ' x="2"'))
    space = f' xmlns="urn:{chance.choice("12")}"' if chance.random() < 0.1 else ""
    text = chance.choice(("", "1", "2", " ", "x"))
    children = "".join(
        written(chance, depth - 1) + chance.choice(("", "", "\n", "y"))
        for _ in range(chance.randrange(4) if depth else 0)
    )
    return f"<{name}{space}{attribute}>{text}{children}</{name}>"


def changed(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice("12abcx") + text[at + 1 :] if chance.random() < 0.8 else text


@given(st.randoms(use_true_random=False))
def test_what_differs_is_what_whole_trees_would_say(chance: random.Random) -> None:
    control = f"<r>{written(chance, 3)}{written(chance, 3)}</r>"
    candidate = changed(control, chance)
    whole = found_in(read_xml(control.encode()), read_xml(candidate.encode()))
    parts = found_in(*read_changed(control.encode(), candidate.encode()))
    if isinstance(whole, str) or isinstance(parts, str):
        assert parts == whole
        return
    assert [(one.path, one.kind) for one in parts] == [(one.path, one.kind) for one in whole]


@pytest.mark.parametrize(
    ("control", "candidate"), [("<a>", "<a/>"), ("<a/>", "<a>"), ("<a>" * 200 + "</a>" * 200, "<b/>")]
)
def test_what_cannot_be_read_is_said_of_its_side(control: str, candidate: str) -> None:
    ours, theirs = read_changed(control.encode(), candidate.encode())
    assert isinstance(ours, Unreadable) is not candidate.startswith("<a>")
    assert isinstance(theirs, Unreadable) is candidate.startswith("<a>")
