"""A token knows its place; strings, names and comments are read as each dialect writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations.importing.tokens import DIALECTS, Cursor, NotUnderstood, split, tokenize


def texts(text: str, dialect: str) -> list[str]:
    return [token.text for token in tokenize(text, dialect)]


@given(st.text(max_size=200), st.sampled_from(DIALECTS))
def test_no_character_outside_of_blanks_and_comments_is_lost(text: str, dialect: str) -> None:
    tokens = list(tokenize(text, dialect))
    for token in tokens:
        assert token.kind == "string" or text[token.at : token.at + len(token.text)] == token.text
    if not any(mark in text for mark in ("-", "#", "/", "*", "'", '"')):
        assert "".join(token.text for token in tokens) == "".join(text.split())


@pytest.mark.parametrize(
    ("dialect", "text", "kind", "value"),
    [
        ("oracle", "'it''s'", "string", "it's"),
        ("oracle", "q'[it's]'", "string", "it's"),
        ("oracle", '"Mixed Name"', "quoted", "Mixed Name"),
        ("tsql", "N'x'", "string", "x"),
        ("tsql", "[a]]b]", "quoted", "a]b"),
        ("mysql", r"'don\'t'", "string", "don't"),
        ("mysql", '"a""b"', "string", 'a"b'),
        ("mysql", "`a``b`", "quoted", "a`b"),
    ],
)
def test_a_name_and_a_string_are_read_without_their_quotes(dialect: str, text: str, kind: str, value: str) -> None:
    (token,) = tokenize(text, dialect)
    assert token.kind == kind
    assert (token.value if kind == "string" else token.name) == value


def test_mysql_reads_what_stands_in_its_own_comments() -> None:
    assert texts("/*!40101 SET NAMES utf8 */; -- no\n/* not */ # nor\n x", "mysql") == [
        "SET",
        "NAMES",
        "utf8",
        ";",
        "x",
    ]


def test_line_and_column_count_from_one() -> None:
    tokens = list(tokenize("a\n  -- c\n  b 'x\ny' c", "oracle"))
    assert [(token.text, token.line, token.column) for token in tokens] == [
        ("a", 1, 1),
        ("b", 3, 3),
        ("'x\ny'", 3, 5),
        ("c", 4, 4),
    ]


def test_a_group_ends_where_its_parenthesis_closes() -> None:
    cursor = Cursor(list(tokenize("(a, (b, c), ')') d", "oracle")))
    group = cursor.group()
    assert [[token.text for token in part] for part in split(group)] == [["a"], ["(", "b", ",", "c", ")"], ["')'"]]
    assert cursor.take().text == "d"
    with pytest.raises(NotUnderstood, match=r"line 1, column 18: 'd' ends the statement too early"):
        cursor.take()
