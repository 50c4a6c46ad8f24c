"""Each statement goes into exactly one object, and a table that is not understood is refused with its line."""

from hypothesis import given
from hypothesis import strategies as st

from migrations.importing.emit import emit
from migrations.importing.reader import Schema, read_script
from migrations.importing.tokens import DIALECTS
from migrations.importing.type_policy import TypePolicy


def read(text: str, dialect: str = "oracle") -> Schema:
    return read_script(text, TypePolicy(dialect))


PIECES = st.sampled_from(
    [
        "CREATE TABLE t (a NUMBER(5), b DATE);",
        "CREATE TABLE u (a NUMBER(5) PRIMARY KEY, CONSTRAINT k CHECK (a > 0));",
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (a);",
        "CREATE INDEX i ON t (a);",
        "COMMENT ON TABLE t IS 'x';",
        "GRANT SELECT ON t TO x;",
        "CREATE SEQUENCE s START WITH 5;",
        "CREATE TABLE v (a WHATEVER);",
        "SELECT 1;",
        ";",
        "CREATE TABLE ((;",
    ]
)


@given(st.lists(PIECES), st.sampled_from(DIALECTS))
def test_read_is_translated_and_left_out_whatever_the_script(pieces: list[str], dialect: str) -> None:
    schema = read("\n".join(pieces), dialect)
    list(emit(schema))
    assert len(schema.statements) == sum(piece != ";" for piece in pieces) or "CREATE TABLE ((;" in pieces
    for found in schema.statements:
        assert found in schema.objects
        assert found.confidence == "parsed" or found.findings


def test_what_is_not_understood_is_refused_with_its_place() -> None:
    (table,) = read("CREATE TABLE t (\n  a NUMBER(5),\n  b DATE FANCY CLAUSE\n);").objects
    assert table.confidence == "refused"
    assert "line 3, column 10: 'FANCY' is not known in the definition of column b" in table.findings[-1].text


def test_a_statement_about_a_table_that_is_not_there_is_refused() -> None:
    (found,) = read("ALTER TABLE x ADD CONSTRAINT c UNIQUE (a);").objects
    assert (found.type, found.confidence) == ("alteration", "refused")
    assert "there is no table x" in found.findings[0].text


def test_a_disabled_constraint_is_left_out_and_an_unvalidated_one_is_not_valid() -> None:
    schema = read(
        "CREATE TABLE p (a NUMBER(5) PRIMARY KEY);"
        "CREATE TABLE t (a NUMBER(5), CONSTRAINT c1 CHECK (a > 1) DISABLE,"
        " CONSTRAINT f1 FOREIGN KEY (a) REFERENCES p (a) ENABLE NOVALIDATE);"
    )
    statements = [step.sql for step in emit(schema)]
    assert "c1" not in statements[1]
    assert statements[2].endswith("REFERENCES public.p (a) NOT VALID")
    assert any("c1 is disabled" in finding.text for finding in schema.of_table["t"].findings)


def test_a_long_name_is_cut_with_a_hash_and_stays_the_same_everywhere() -> None:
    name = "N" * 80
    schema = read(f"CREATE TABLE {name} (a NUMBER(5)); COMMENT ON TABLE {name} IS 'x';")
    table, comment = (step.sql for step in emit(schema))
    stored = table.split()[2].removeprefix("public.")
    assert len(stored) == 63
    assert stored in comment
