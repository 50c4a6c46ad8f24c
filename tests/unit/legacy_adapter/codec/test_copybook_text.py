from legacy_adapter.codec.copybook_text import statements


def words(text):
    return [[word.text for word in statement] for statement in statements(text)]


def test_fixed_columns_numbers_and_comments_are_dealt_with():
    text = (
        "000100* a comment with a PIC X.\n"
        "000200 01  A.                                                           ACME0001\n"
        "000300     05 B PIC X(2).                                               ACME0002\n"
    )
    assert words(text) == [["01", "A"], ["05", "B", "PIC", "X(2)"]]


def test_free_text_is_read_too():
    assert words("01 A.\n    05 B PIC X. *> why\n* no\n 05 C PIC 9 VALUE 'it. is'.") == [
        ["01", "A"],
        ["05", "B", "PIC", "X"],
        ["05", "C", "PIC", "9", "VALUE", "'it. is'"],
    ]


def test_words_know_their_line():
    assert statements("01 A.\n\n05 B\n PIC X.")[1][2].line == 4
