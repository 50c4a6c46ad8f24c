"""SQL functions that translated mappings call, installed in schema `strangler` of both databases.

PostgreSQL's own to_date is lenient ('202613' is a date to it) and its errors quote the value. These accept exactly the
texts that to_char would make; `is_*` decide without raising, `parse_*` raise an error that names only the format.

`parse_date` and `parse_timestamp` are written so that the planner inlines them and folds what depends on the constant
format (declared STABLE for that reason: to_date is): about 1 microsecond a value. What the quick test does not accept
(the 31st, the 29th of
February, and everything wrong) goes to the thorough `read_*`, which use no
sub-transaction and so are safe in parallel workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdc.translation.library import LIBRARY

if TYPE_CHECKING:
    import psycopg

_SQL = "LANGUAGE sql STABLE PARALLEL SAFE"
_PLPGSQL = "LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE"

# A format as nines, so that one comparison checks the whole text.
_NINES = """replace(replace(replace(replace(replace(replace(replace(replace(format,
        'YYYY', '9999'), 'MM', '99'), 'DD', '99'), 'HH24', '99'), 'MI', '99'), 'SS', '99'), 'US', '999999'),
        'MS', '999')"""
# A format with every part as wide as its digits, so that a part stands where its digits do.
_PLACES = "replace(replace(replace(format, 'HH24', 'HH'), 'US', 'USUSUS'), 'MS', 'MS_')"


def _at(part: str, width: int = 2, places: str = "places") -> str:
    return f"substr(value, strpos({places}, '{part}'), {width})"


def _quick_day(places: str) -> str:
    month, day, year = (_at(part, width, places) for part, width in (("MM", 2), ("DD", 2), ("YYYY", 4)))
    c = 'COLLATE "C"'
    return f"""{month} {c} BETWEEN '01' AND '12' AND {year} <> '0000'
        AND {day} {c} BETWEEN '01' AND '30' AND ({day} {c} <= '28' OR {month} <> '02')"""


def _quick_time(places: str) -> str:
    c = 'COLLATE "C"'
    return " AND ".join(
        f"(strpos({places}, '{part}') = 0 OR {_at(part, 2, places)} {c} < '{end}')"
        for part, end in (("HH", "24"), ("MI", "60"), ("SS", "60"))
    )


_SHAPED = f"translate(value, '012345678', '999999999') = {_NINES}"

_READ_DATE = f"""
CREATE OR REPLACE FUNCTION strangler.is_day(year int, month int, day int) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT year > 0 AND month BETWEEN 1 AND 12 AND day > 0 AND day <= CASE
        WHEN month = 2 THEN CASE WHEN year % 4 = 0 AND (year % 100 <> 0 OR year % 400 = 0) THEN 29 ELSE 28 END
        WHEN month IN (4, 6, 9, 11) THEN 30 ELSE 31 END
$$;
CREATE OR REPLACE FUNCTION strangler.reads_as(value text, format text) RETURNS boolean {_PLPGSQL} AS $$
DECLARE
    places text := {_PLACES};
BEGIN
    IF NOT {_SHAPED} THEN
        RETURN false;
    END IF;
    RETURN {_quick_time("places")}
        AND strangler.is_day({_at("YYYY", 4)}::int, {_at("MM")}::int, {_at("DD")}::int);
END $$;
CREATE OR REPLACE FUNCTION strangler.read_date(value text, format text) RETURNS date {_PLPGSQL} AS $$
BEGIN
    IF NOT strangler.reads_as(value, format) THEN
        RAISE EXCEPTION 'a value is not a date of the format %', format USING ERRCODE = 'invalid_datetime_format';
    END IF;
    RETURN to_date(value, format);
END $$;
CREATE OR REPLACE FUNCTION strangler.read_timestamp(value text, format text) RETURNS timestamp {_PLPGSQL} AS $$
BEGIN
    IF NOT strangler.reads_as(value, format) THEN
        RAISE EXCEPTION 'a value is not a timestamp of the format %', format USING ERRCODE = 'invalid_datetime_format';
    END IF;
    RETURN to_timestamp(value || '+00', format || 'TZH') AT TIME ZONE 'UTC';
END $$;
"""

# The zone is part of the text, so that the session's own zone and its missing hours have no say.
_INLINED = f"""
CREATE OR REPLACE FUNCTION strangler.is_date(value text, format text) RETURNS boolean {_SQL} AS $$
    SELECT CASE WHEN {_SHAPED} AND {_quick_day("format")} THEN true ELSE strangler.reads_as(value, format) END
$$;
CREATE OR REPLACE FUNCTION strangler.parse_date(value text, format text) RETURNS date {_SQL} AS $$
    SELECT CASE WHEN {_SHAPED} AND {_quick_day("format")} THEN to_date(value, format)
                ELSE strangler.read_date(value, format) END
$$;
CREATE OR REPLACE FUNCTION strangler.is_timestamp(value text, format text) RETURNS boolean {_SQL} AS $$
    SELECT CASE WHEN {_SHAPED} AND {_quick_day(_PLACES)} AND {_quick_time(_PLACES)} THEN true
                ELSE strangler.reads_as(value, format) END
$$;
CREATE OR REPLACE FUNCTION strangler.parse_timestamp(value text, format text) RETURNS timestamp {_SQL} AS $$
    SELECT CASE WHEN {_SHAPED} AND {_quick_day(_PLACES)} AND {_quick_time(_PLACES)}
                THEN to_timestamp(value || '+00', format || 'TZH') AT TIME ZONE 'UTC'
                ELSE strangler.read_timestamp(value, format) END
$$;
"""

_NUMBERS = f"""
CREATE OR REPLACE FUNCTION strangler.is_number(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT value ~ '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)$' $$;
CREATE OR REPLACE FUNCTION strangler.parse_number(value text) RETURNS numeric {_PLPGSQL} AS $$
BEGIN
    IF NOT strangler.is_number(value) THEN
        RAISE EXCEPTION 'a value is not a number' USING ERRCODE = 'invalid_text_representation';
    END IF;
    RETURN value::numeric;
END $$;
"""

_LOCK = 0x7374_7261_6E67  # "strang": two processes that install at once wait for each other


def install_functions(conn: psycopg.Connection) -> None:
    """Create or replace schema `strangler` and its functions, in the caller's transaction; needs no superuser."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    conn.execute("CREATE SCHEMA IF NOT EXISTS strangler")
    for statements in (_READ_DATE, _INLINED, _NUMBERS, *(function.statement for function in LIBRARY)):
        conn.execute(statements.encode())
