import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.json_model import Document, Unreadable
from shadow.rules import Form
from shadow.text_model import read_csv, read_html, read_lines


def lines(text: str, **form: object) -> tuple[object, set[str]]:
    document = read_lines(text, Form(**form))  # type: ignore[arg-type]
    return document.tree, set(document.notes)


def test_lines_are_kept_as_they_are_without_a_rule() -> None:
    assert lines(" a\r\n\nb") == ([" a\r", "", "b"], set())


def test_rules_for_lines_say_what_they_changed() -> None:
    assert lines("a\r\nb\r\n", any_line_ends=True) == (["a", "b"], {"line_ends"})
    assert lines("a\nb", any_line_ends=True) == (["a", "b"], set())
    assert lines(" a \nb", trims_lines=True) == (["a", "b"], {"trim"})
    assert lines("a\n\nb", skips_blank_lines=True) == (["a", "b"], {"ignored"})
    assert lines("Printed at 1\nb", lines_ignored=(re.compile("^Printed"),)) == (["b"], {"ignored"})


def csv(text: str, **form: object) -> object:
    document = read_csv(text, Form(**form))  # type: ignore[arg-type]
    return document.tree if isinstance(document, Document) else document.reason


def test_rows_are_read_by_their_columns() -> None:
    assert csv('a,b\r\n1,"x, ""y""\n"\r\n') == [{"a": "1", "b": 'x, "y"\n'}]
    assert csv("1;2\n3;4", delimiter=";", has_header=False) == [["1", "2"], ["3", "4"]]
    assert csv("a,b\n") == {"columns": ["a", "b"]}
    assert csv("") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1", "ragged_csv"),
        ("a,a\n1,2", "duplicate_columns"),
        ('a\n"x', "malformed_csv"),
        ('a\n"x"y', "malformed_csv"),
    ],
)
def test_what_is_no_table_is_said(text: str, reason: str) -> None:
    assert csv(text) == reason


def html(text: str) -> object:
    document = read_html(text.encode(), "")
    return document.tree if isinstance(document, Document) else document.reason


def test_a_page_is_what_a_person_reads() -> None:
    assert html("<p class=a>Balance:\n <b>1</b>0</p><script>x</script><!-- c --><div>EUR</div>") == [
        "Balance: 10",
        "EUR",
    ]
    assert html("<head><title>T</title><style>p{}</style></head><p>a<br>b</p>tail") == ["T", "a", "b", "tail"]


def test_where_a_link_leads_and_what_a_field_holds_is_read_too() -> None:
    assert html("<a href='/pay/1'>pay</a>") == ["[a href=/pay/1]", "pay"]
    assert html("<form action=/x><input type=hidden name=amt value=10></form>") == [
        "[form action=/x]",
        "[input type=hidden]",
        "[input name=amt]",
        "[input value=10]",
    ]


def test_a_deep_page_costs_no_recursion() -> None:
    assert html("<div>" * 10_000 + "x") is not None
    assert html("") == []


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(read_html(body, "utf-8"), Document | Unreadable)
