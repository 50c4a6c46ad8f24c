from pathlib import Path

import pytest

import legacy_adapter
from legacy_adapter.codec.copybook import CopybookRefused, parse_copybook
from legacy_adapter.codec.layout import Number
from legacy_adapter.codec.zoned import Sign

RICH = """
       01  MASTER.
           05  KIND             PIC X.
           05  AMOUNTS          USAGE COMP-3.
               10  AVAILABLE    PIC S9(5)V99.
               10  HELD         PIC S9(5)V99 OCCURS 3 INDEXED BY IX.
           05  BODY             PIC X(8).
           05  VIEW REDEFINES BODY.
               10  COUNTER      PIC 9(4) COMP.
               10  SIGNED-ONE PIC S9(3) SIGN LEADING SEPARATE CHARACTER.
               10  FILLER       PIC X(2).
           05  FILLER           PIC X VALUE SPACE.
           05                   PIC X.
           88  IS-OPEN          VALUE 'O' 'P'.
           05  LAST-ONE         PIC 9(3).
"""


def test_offsets_lengths_and_inherited_usage():
    layout = parse_copybook(RICH)
    places = {field.name: (field.offset, field.size) for field in layout.walk()}
    assert places["AVAILABLE"] == (1, 4)
    assert places["HELD"] == (5, 12)
    assert places["BODY"] == places["VIEW"] == (17, 8)
    assert places["COUNTER"] == (17, 2)
    assert places["SIGNED-ONE"] == (19, 4)
    assert places["LAST-ONE"] == (27, 3)
    assert layout.length == 30
    signed = next(field for field in layout.walk() if field.name == "SIGNED-ONE")
    assert signed.form == Number("display", 3, 0, Sign(leading=True, separate=True))
    assert [field.name for field in layout.fields if field.is_filler] == ["FILLER", "FILLER-2"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("01 A.\n 05 B PIC Z9.", 2, "'Z9' is not a picture"),
        ("01 A.\n 05 B PIC X OCCURS 1 TO 5 TIMES DEPENDING ON C.", 2, "OCCURS DEPENDING ON"),
        ("01 A.\n 05 B PIC 9 SYNC.", 2, "'SYNC' is not supported"),
        ("01 A.\n 05 B COMP-1.", 2, "'COMP-1'"),
        ("01 A.\n 05 B PIC X.\n01 C.\n 05 D PIC X.", 3, "second record"),
        ("01 A.\n 05 B PIC X.\n 10 C PIC X.", 3, "below B"),
        ("01 A.\n 10 B PIC X.\n 05 C PIC X.", 3, "level that its neighbours"),
        ("01 A.\n 05 B PIC X.\n 05 C REDEFINES B PIC XX.", 3, "does not fit over B"),
        ("01 A.\n 05 B PIC X.\n 05 C REDEFINES D PIC X.", 3, "can be redefined"),
        ("01 A.\n 05 B PIC X.\n 05 B PIC X.", 3, "twice"),
        ("01 A.\n 66 B RENAMES C.", 2, "level number"),
        ("01 A.\n 05 B.", 2, "neither a picture"),
        ("01 A.\n 05 B PIC", 2, "needs an operand"),
        ("01 A.\n 05 B PIC 9(19) COMP.", 2, "more than 18 digits"),
        ("01 A.\n 05 B PIC X COMP-3.", 2, "is text"),
        ("COPY OTHER.", 1, "'COPY'"),
        ("", 1, "describes no field"),
    ],
)
def test_what_is_not_supported_is_refused_by_name_and_line(text, line, what):
    with pytest.raises(CopybookRefused, match=what) as caught:
        parse_copybook(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("name", "length"), [("inqa-req", 14), ("inqa-reply", 37), ("xfer-req", 66), ("xfer-reply", 49)]
)
def test_the_bank_s_copybooks(name, length):
    path = Path(legacy_adapter.__file__).parent / "copybooks" / f"{name}.cpy"
    layout = parse_copybook(path.read_text())
    assert layout.name == name.upper()
    assert layout.length == length
    assert layout.fields[0].name == "TRAN"
