"""Each function of the library shows what its page says, and a value that it refuses is not in its error."""

import psycopg
import pytest

from cdc.translation.functions import install_functions
from cdc.translation.library import LIBRARY
from tests.support.pages import code, page, table


def test_every_example_of_the_library_gives_what_the_page_says(modern_db: str) -> None:
    rows = []
    with psycopg.connect(modern_db) as conn:
        install_functions(conn)
        for function in LIBRARY:
            row = conn.execute(f"SELECT ({function.example})::text".encode()).fetchone()
            assert row is not None
            assert (row[0] or "NULL") == function.shows, function.name
            call = f"strangler.{function.name}({function.signature})"
            rows.append((code(call), function.result, function.purpose, code(function.example), code(function.shows)))
        kinds = "SELECT proname, provolatile FROM pg_proc WHERE pronamespace = 'strangler'::regnamespace"
        volatility = dict(conn.execute(kinds).fetchall())
    assert {volatility[function.name] for function in LIBRARY} == {"i"}
    page(
        "library.md",
        f"""# The functions of schema `strangler`

Made by `tests/unit/cdc/translation/test_library.py`, which runs every example. They are installed in both databases, are immutable,
name no value in an error, and are what a mapping calls for what legacy columns hold.

{table(("function", "gives", "for", "example", "result"), rows)}""",
    )


@pytest.mark.parametrize(
    "call",
    [
        "strangler.packed('\\x99999a', 5, 2)",
        "strangler.packed('\\x1234', 5, 2)",
        "strangler.to_packed(1234567, 5, 2)",
        "strangler.zoned('12S45', 5, 2)",
        "strangler.to_zoned(0.001, 5, 2)",
        "strangler.short_date('991301', 'YYMMDD', 50)",
        "strangler.short_date('999999', 'YYYYMM', 50)",
        "strangler.date_or_null('20269999', 'YYYYMMDD')",
    ],
)
def test_what_cannot_be_read_is_an_error_without_the_value(modern_db: str, call: str) -> None:
    with psycopg.connect(modern_db) as conn:
        install_functions(conn)
        with pytest.raises(psycopg.DataError) as caught:
            conn.execute(f"SELECT {call}".encode())
        message = caught.value.diag.message_primary or ""
    assert not any(part in message for part in ("9999", "1234", "12S45", "1301", "0.001"))
