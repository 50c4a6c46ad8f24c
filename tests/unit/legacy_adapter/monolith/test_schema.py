import pytest

from legacy_adapter.monolith.schema import SCHEMA_FILE, SchemaRefused, import_schema


def test_types_follow_our_policy():
    script = """
    CREATE TABLE A (  -- a comment
        B CHAR(8) NOT NULL /* DDMMYYYY */, C VARCHAR2(40 CHAR), D NUMBER(12,2) NOT NULL ENABLE, E NUMBER(12),
        F DATE, G TIMESTAMP(3) WITH LOCAL TIME ZONE, H CLOB, I BLOB,
        CONSTRAINT A_PK PRIMARY KEY (B, E) ENABLE,
        CONSTRAINT A_FK FOREIGN KEY (B) REFERENCES Z (B)
    );
    """
    (statement,) = import_schema(script)
    assert [line.strip().rstrip(",") for line in statement.splitlines()] == [
        "CREATE TABLE a (",
        "b char(8) NOT NULL",
        "c varchar(40)",
        "d numeric(12,2) NOT NULL",
        "e numeric(12)",
        "f timestamp(0)",
        "g timestamptz(3)",
        "h text",
        "i bytea",
        "CONSTRAINT a_pk PRIMARY KEY (b, e)",
        "CONSTRAINT a_fk FOREIGN KEY (b) REFERENCES z (b)",
        ")",
    ]


def test_a_sequence_keeps_its_order_and_so_loses_its_cache():
    assert import_schema("CREATE SEQUENCE S START WITH 1 CACHE 50 NOORDER;") == ["CREATE SEQUENCE s START WITH 1"]


@pytest.mark.parametrize(
    ("script", "line", "token"),
    [
        ("CREATE TABLE A (\n B LONG);", 2, "LONG"),
        ("CREATE TABLE A (\n B VARCHAR2(4));", 2, "VARCHAR2"),
        ("CREATE TABLE A (\n B VARCHAR2(4 BYTE));", 2, "VARCHAR2"),
        ("CREATE TABLE A (\n B NUMBER);", 2, "NUMBER"),
        ("CREATE TABLE A (\n B NUMBER(5,-2));", 2, "-"),
        ("CREATE TABLE A (\n B TIMESTAMP(9));", 2, "TIMESTAMP"),
        ("CREATE TABLE A (B CHAR(1) DEFAULT X);", 1, "DEFAULT"),
        ("CREATE TABLE A (B CHAR(1)) TABLESPACE T;", 1, "TABLESPACE"),
        ("CREATE TABLE A (B CHAR(1))", 1, "end of file"),
        ("/* one\n two */ CREATE\n BITMAP INDEX I;", 3, "BITMAP"),
        ("DROP TABLE A;", 1, "DROP"),
        ('CREATE TABLE "A" (B CHAR(1));', 1, '"'),
    ],
)
def test_what_is_not_known_is_refused_by_line_and_token(script, line, token):
    with pytest.raises(SchemaRefused) as caught:
        import_schema(script)
    assert (caught.value.line, caught.value.token) == (line, token)


def test_the_bank_s_own_schema_is_imported():
    statements = import_schema(SCHEMA_FILE.read_text())
    assert [statement.split()[2] for statement in statements] == [
        "custmast",
        "acctmast",
        "trnhist",
        "ctlparm",
        "trnhist_seq",
    ]
