"""The library of schema `strangler`: documented, immutable SQL functions for what legacy columns hold.

Sentinels, blanks that mean NULL, packed and zoned decimals, two-digit years, flags: each function says which error it
raises, names no value in it, and most have a function that writes the value back. A mapping calls them by name, such as
`strangler.packed(BAL, 13, 2)`. docs/library.md is made from this module.
"""

from __future__ import annotations

from dataclasses import dataclass

_PL = "LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE"
_SQL = "LANGUAGE sql IMMUTABLE PARALLEL SAFE"


@dataclass(frozen=True)
class LibraryFunction:
    """One function: how it is called, what it gives, what it is for, an example with its result, and its SQL."""

    name: str
    signature: str
    result: str
    purpose: str
    example: str
    shows: str
    sql: str

    @property
    def statement(self) -> str:
        """CREATE OR REPLACE FUNCTION."""
        return f"CREATE OR REPLACE FUNCTION strangler.{self.name}({self.signature}) RETURNS {self.result} {self.sql}"


_FAILS = "RAISE EXCEPTION 'a value is not {what}' USING ERRCODE = 'invalid_text_representation';"

LIBRARY = (
    LibraryFunction(
        "blank_to_null",
        "value text",
        "text",
        "Blanks that mean NULL: a text of blanks only becomes NULL.",
        "strangler.blank_to_null('   ')",
        "NULL",
        f"{_SQL} AS $$ SELECT CASE WHEN value ~ '[^ ]' THEN value END $$",
    ),
    LibraryFunction(
        "is_empty_date",
        "value text",
        "boolean",
        "Whether a text stands for no date: blanks, zeros or nines only.",
        "strangler.is_empty_date('00000000')",
        "true",
        f"{_SQL} AS $$ SELECT value ~ '^( *|0+|9+)$' $$",
    ),
    LibraryFunction(
        "date_or_null",
        "value text, format text",
        "date",
        "A date from text; blanks, zeros and nines mean no date. Fails on everything else that is no date.",
        "strangler.date_or_null('00000000', 'YYYYMMDD')",
        "NULL",
        f"{_SQL} AS $$ SELECT CASE WHEN strangler.is_empty_date(value) THEN NULL "
        "ELSE strangler.read_date(value, format) END $$",
    ),
    LibraryFunction(
        "short_date",
        "value text, format text, pivot integer",
        "date",
        "A date with a two-digit year (YYMMDD, DDMMYY, MMDDYY): years below the pivot are of this century (20..).",
        "strangler.short_date('691231', 'YYMMDD', 70)",
        "2069-12-31",
        f"""{_PL} AS $$
DECLARE
    year text := substr(value, strpos(format, 'YY'), 2);
BEGIN
    IF format NOT IN ('YYMMDD', 'DDMMYY', 'MMDDYY') OR value !~ '^[0-9]{{6}}$' THEN
        RAISE EXCEPTION 'a value is not a date of the format %', format USING ERRCODE = 'invalid_datetime_format';
    END IF;
    RETURN strangler.read_date(
        CASE WHEN year::int < pivot THEN '20' ELSE '19' END || year
        || substr(value, strpos(format, 'MM'), 2) || substr(value, strpos(format, 'DD'), 2), 'YYYYMMDD');
END $$""",
    ),
    LibraryFunction(
        "is_short_date",
        "value text, format text",
        "boolean",
        "Whether short_date can read a text (the 29th of February is looked up in both centuries).",
        "strangler.is_short_date('690230', 'YYMMDD')",
        "false",
        f"""{_SQL} AS $$
    SELECT CASE WHEN value ~ '^[0-9]{{6}}$' THEN strangler.is_day(
        2000 + substr(value, strpos(format, 'YY'), 2)::int, substr(value, strpos(format, 'MM'), 2)::int,
        substr(value, strpos(format, 'DD'), 2)::int) AND substr(value, strpos(format, 'YY'), 2)
        || substr(value, strpos(format, 'MM'), 2) || substr(value, strpos(format, 'DD'), 2) <> '000229'
    ELSE false END $$""",
    ),
    LibraryFunction(
        "is_packed",
        "value bytea, digits integer",
        "boolean",
        "Whether bytes are a packed decimal (COMP-3) of that many digits, with a preferred sign (C, D or F).",
        "strangler.is_packed('\\x12345c', 5)",
        "true",
        f"""{_SQL} AS $$
    SELECT octet_length(value) = digits / 2 + 1 AND encode(value, 'hex') ~ ('^' || repeat('0', 1 - digits % 2)
        || '[0-9]{{' || digits || '}}[cdf]$') $$""",
    ),
    LibraryFunction(
        "packed",
        "value bytea, digits integer, scale integer",
        "numeric",
        "A packed decimal (COMP-3), such as S9(11)V99: 13 digits, 2 of them after the point.",
        "strangler.packed('\\x12345d', 5, 2)",
        "-123.45",
        f"""{_PL} AS $$
BEGIN
    IF NOT strangler.is_packed(value, digits) THEN
        {_FAILS.format(what="a packed decimal")}
    END IF;
    RETURN CASE WHEN right(encode(value, 'hex'), 1) = 'd' THEN -1 ELSE 1 END
        * (left(encode(value, 'hex'), -1) || 'e-' || scale)::numeric;
END $$""",
    ),
    LibraryFunction(
        "to_packed",
        "value numeric, digits integer, scale integer",
        "bytea",
        "A number as a packed decimal with the sign C or D. Fails where it does not fit.",
        "strangler.to_packed(-123.45, 5, 2)",
        "\\x12345d",
        f"""{_PL} AS $$
DECLARE
    whole numeric := abs(value) * power(10::numeric, scale);
BEGIN
    IF whole <> trunc(whole) OR whole >= power(10::numeric, digits) THEN
        {_FAILS.format(what="a number that fits into the packed decimal")}
    END IF;
    RETURN decode(lpad(trunc(whole)::text, digits + 1 - digits % 2, '0')
        || CASE WHEN value < 0 THEN 'd' ELSE 'c' END, 'hex');
END $$""",
    ),
    LibraryFunction(
        "is_zoned",
        "value text, digits integer",
        "boolean",
        "Whether a text is a zoned decimal: digits, the last one perhaps overpunched with the sign ({A-I, }J-R).",
        "strangler.is_zoned('1234N', 5)",
        "true",
        f"{_SQL} AS $$ SELECT length(value) = digits AND value ~ '^[0-9]*[0-9{{}}A-R]$' $$",
    ),
    LibraryFunction(
        "zoned",
        "value text, digits integer, scale integer",
        "numeric",
        "A zoned decimal (DISPLAY) with the sign in the zone of its last digit.",
        "strangler.zoned('1234N', 5, 2)",
        "-123.45",
        f"""{_PL} AS $$
BEGIN
    IF NOT strangler.is_zoned(value, digits) THEN
        {_FAILS.format(what="a zoned decimal")}
    END IF;
    RETURN CASE WHEN right(value, 1) ~ '[}}J-R]' THEN -1 ELSE 1 END
        * (translate(value, '{{ABCDEFGHI}}JKLMNOPQR', '01234567890123456789') || 'e-' || scale)::numeric;
END $$""",
    ),
    LibraryFunction(
        "to_zoned",
        "value numeric, digits integer, scale integer",
        "text",
        "A number as a zoned decimal, signed by overpunch. Fails where it does not fit.",
        "strangler.to_zoned(-123.45, 5, 2)",
        "1234N",
        f"""{_PL} AS $$
DECLARE
    whole numeric := abs(value) * power(10::numeric, scale);
    figures text := lpad(trunc(whole)::text, digits, '0');
BEGIN
    IF whole <> trunc(whole) OR whole >= power(10::numeric, digits) THEN
        {_FAILS.format(what="a number that fits into the zoned decimal")}
    END IF;
    RETURN left(figures, -1)
        || translate(right(figures, 1), '0123456789', CASE WHEN value < 0 THEN '}}JKLMNOPQR' ELSE '{{ABCDEFGHI' END);
END $$""",
    ),
    LibraryFunction(
        "flag",
        "value text, yes text, no text",
        "boolean",
        "A flag of two codes as a boolean; NULL for every other code.",
        "strangler.flag('J', 'J', 'N')",
        "true",
        f"{_SQL} AS $$ SELECT CASE value WHEN yes THEN true WHEN no THEN false END $$",
    ),
    LibraryFunction(
        "add_months",
        "value timestamp, months integer",
        "timestamp",
        "Oracle's ADD_MONTHS: from the last day of a month one gets to the last day of a month.",
        "strangler.add_months('2026-02-28', 1)",
        "2026-03-31 00:00:00",
        f"""{_SQL} AS $$
    SELECT CASE WHEN date_trunc('day', value) = date_trunc('month', value) + interval '1 month - 1 day'
        THEN date_trunc('month', value) + make_interval(months => months + 1) - interval '1 day'
             + (value - date_trunc('day', value))
        ELSE value + make_interval(months => months) END $$""",
    ),
    LibraryFunction(
        "instr",
        "value text, sought text, start integer, occurrence integer",
        "integer",
        "Oracle's INSTR with a start from 1 and an occurrence from 1: the place of the text, or 0.",
        "strangler.instr('banana', 'a', 1, 2)",
        "4",
        f"""{_PL} AS $$
DECLARE
    place integer := start - 1;
    found integer;
BEGIN
    FOR n IN 1 .. occurrence LOOP
        found := strpos(substr(value, place + 1), sought);
        IF found = 0 THEN
            RETURN 0;
        END IF;
        place := place + found;
    END LOOP;
    RETURN place;
END $$""",
    ),
)
