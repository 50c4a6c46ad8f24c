from hypothesis import given
from hypothesis import strategies as st

from migrations.sql_text import sql_statements

TEXT = """BEGIN;
-- a comment; with a semicolon
CREATE FUNCTION public.f() AS $body$ DROP TABLE x; $body$;

COMMENT ON TABLE t IS 'it''s; done';
"""


def test_strings_bodies_and_comments_hide_their_semicolons() -> None:
    found = [(statement.line, statement.words) for statement in sql_statements(TEXT)]
    assert found == [(1, "BEGIN"), (3, "CREATE FUNCTION PUBLIC.F() AS $$"), (5, "COMMENT ON TABLE T IS ''")]


@given(st.text("ab;'\"$-/* \n", max_size=60))
def test_no_script_stops_the_reader(text: str) -> None:
    for statement in sql_statements(text):
        assert statement.line >= 1
        assert statement.words
