"""Storage clauses go, each with its name; everything that means something stays."""

import pytest

from migrations.importing.scrub import scrub
from migrations.importing.tokens import tokenize

CASES = [
    ("oracle", '"A" NUMBER NOT NULL ENABLE', '"A" NUMBER NOT NULL ENABLE', []),
    (
        "oracle",
        'PRIMARY KEY ("A") USING INDEX PCTFREE 10 STORAGE(INITIAL 65536 NEXT (1)) TABLESPACE "X" ENABLE',
        'PRIMARY KEY ( "A" ) ENABLE',
        ["USING INDEX", "PCTFREE", "STORAGE", "TABLESPACE"],
    ),
    ("oracle", '"A" CLOB LOB ("A") STORE AS SECUREFILE "SEG" (CACHE) y', '"A" CLOB y', ["LOB STORE AS"]),
    ("oracle", "x NOCOMPRESS SEGMENT CREATION DEFERRED", "x", ["NOCOMPRESS", "SEGMENT CREATION"]),
    ("oracle", '"LOGGING" NUMBER', '"LOGGING" NUMBER', []),
    ("tsql", "[A] int NOT FOR REPLICATION NULL", "[A] int NULL", ["NOT FOR REPLICATION"]),
    ("tsql", "FOREIGN KEY ([a]) REFERENCES b ON UPDATE CASCADE ON DELETE SET NULL", None, []),
    (
        "tsql",
        "PRIMARY KEY CLUSTERED ([a] ASC) WITH (PAD_INDEX = OFF) ON [PRIMARY]",
        "PRIMARY KEY ( [a] ASC )",
        ["CLUSTERED", "WITH", "ON"],
    ),
    (
        "mysql",
        "`a` char(1) CHARACTER SET ascii COLLATE ascii_bin NOT NULL",
        "`a` char ( 1 ) NOT NULL",
        ["CHARACTER SET", "COLLATE"],
    ),
    ("mysql", "x ENGINE=InnoDB DEFAULT CHARSET=utf8mb4", "x", ["ENGINE", "DEFAULT CHARSET"]),
]


@pytest.mark.parametrize(("dialect", "text", "kept", "dropped"), CASES)
def test_what_means_nothing_to_postgresql_goes_by_name(
    dialect: str, text: str, kept: str | None, dropped: list[str]
) -> None:
    tokens = list(tokenize(text, dialect))
    left, gone = scrub(tokens, dialect)
    assert " ".join(token.text for token in left) == (kept or " ".join(token.text for token in tokens))
    assert gone == dropped


def test_a_column_may_have_the_name_of_a_clause() -> None:
    left, gone = scrub(list(tokenize("compress NUMBER", "oracle")), "oracle")
    assert [token.text for token in left] == ["compress", "NUMBER"]
    assert gone == []
