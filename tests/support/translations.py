"""Expressions of three dialects with the value that their own database gives, from its documentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

DAY, MOMENT = date(2026, 1, 31), datetime(2026, 1, 31, 13, 45, 10)
COLUMNS = (
    "id integer, a character varying(10), b character varying(10)?, c character(4), l character varying(60), "
    "s character varying(20), n numeric(12,2), m numeric(12,2)?, i integer, k bigint, "
    "d timestamp(0) without time zone, f timestamp(0) without time zone, e date, p bytea"
)
ROW: dict[str, object] = {
    "id": 1,
    "a": "abc",
    "b": None,
    "c": "X",
    "l": "x" * 40,
    "s": "20260131",
    "n": Decimal("123.45"),
    "m": None,
    "i": 7,
    "k": 12345,
    "d": MOMENT,
    "f": datetime(2025, 12, 31, 23, 59, 0),
    "e": date(2024, 2, 29),
    "p": b"\x12\x34\x5d",
}
FAILS = "an error"
"""The dialect's own database refuses the value: an answer would be wrong."""
REFUSED = "refused"
"""No PostgreSQL expression means the same for every row, so ours must refuse it."""


@dataclass(frozen=True)
class Translation:
    """One expression over ROW (with other values in `row`), into a column of `kind`; `means` is the right value."""

    dialect: str
    expression: str
    means: object
    kind: str = "text"
    row: dict[str, object] = field(default_factory=dict)


def _oracle() -> list[Translation]:
    def of(expression: str, means: object, kind: str = "text", **row: object) -> Translation:
        return Translation("oracle", expression, means, kind, row)

    number, moment = "numeric", "timestamp without time zone"
    return [
        of("NVL(b, 'x')", "x"),
        of("NVL(m, 0)", Decimal(0), number),
        of("NVL2(b, 'full', 'empty')", "empty"),
        of("NVL(TRIM(a), '?')", "?", a="  "),
        of("DECODE(c, 'X', 'ex', 'Y', 'why')", "ex"),
        of("DECODE(b, NULL, 'none', 'x', 'ex')", "none"),
        of("DECODE(i, 1, 'one', 'other')", "other"),
        of("CASE WHEN n > 100 THEN 'big' ELSE 'small' END", "big"),
        of("n / 100", Decimal("1.2345"), number),
        of("k / 100", Decimal("123.45"), number),
        of("n * 100", Decimal(12345), number),
        of("i / 8", Decimal("0.875"), number),
        of("ROUND(n, 1)", Decimal("123.5"), number),
        of("ROUND(-n, 1)", Decimal("-123.5"), number),
        of("TRUNC(n, 1)", Decimal("123.4"), number),
        of("TRUNC(n)", Decimal(123), number),
        of("MOD(-i, 3)", Decimal(-1), number),
        of("CEIL(n)", Decimal(124), number),
        of("FLOOR(-n)", Decimal(-124), number),
        of("SIGN(-n)", Decimal(-1), number),
        of("a || b", "abc"),
        of("CONCAT(a, b)", "abc"),
        of("b || b", None),
        of("a || '-' || c", "abc-X   "),
        of("GREATEST(n, m)", None, number),
        of("LEAST(n, 100)", Decimal(100), number),
        of("SUBSTR(a, -2)", "bc"),
        of("SUBSTR(a, -5)", None),
        of("SUBSTR(a, 0, 2)", "ab"),
        of("SUBSTR(a, 2, 1)", "b"),
        of("SUBSTR(c, 1, 4)", "X   "),
        of("LENGTH(c)", 4, "integer"),
        of("INSTR(a, 'a', 1, 2)", 4, "integer", a="banana"),
        of("INSTR(a, 'a', 3)", 4, "integer", a="banana"),
        of("INSTR(a, 'z')", 0, "integer"),
        of("LTRIM(a, '0')", "120", a="00120"),
        of("TRIM(LEADING '0' FROM a)", None, a="000"),
        of("RTRIM(c)", "X"),
        of("TRIM(a)", None, a="   "),
        of("REPLACE(a, 'abc')", None),
        of("LPAD(a, 6, '0')", "000abc"),
        of("UPPER(a)", "ABC"),
        of("TRANSLATE(a, 'abc', 'xyz')", "xyz"),
        of("TO_DATE(s, 'YYYYMMDD')", DAY, "date"),
        of("TO_DATE(s, 'YYYYMMDD')", FAILS, "date", s="20261"),
        of("TO_DATE(s, 'DD.MM.YYYY')", FAILS, "date", s="31.1.26"),
        of("TO_TIMESTAMP(s, 'YYYYMMDDHH24MISS')", MOMENT, moment, s="20260131134510"),
        of("TO_CHAR(d, 'YYYY-MM-DD HH24:MI:SS')", "2026-01-31 13:45:10"),
        of("TO_CHAR(d, 'YYYYMM')", "202601"),
        of("TO_CHAR(i)", "7"),
        of("TRUNC(d)", datetime(2026, 1, 31), moment),
        of("TRUNC(d, 'MM')", datetime(2026, 1, 1), moment),
        of("TRUNC(d, 'Q')", datetime(2026, 1, 1), moment),
        of("ADD_MONTHS(d, 1)", datetime(2026, 2, 28, 13, 45, 10), moment),
        of("ADD_MONTHS(d, 1)", datetime(2026, 3, 31), moment, d=datetime(2026, 2, 28)),
        of("LAST_DAY(d)", datetime(2026, 2, 28, 8), moment, d=datetime(2026, 2, 10, 8)),
        of("EXTRACT(YEAR FROM d)", 2026, "integer"),
        of("d + 1", datetime(2026, 2, 1, 13, 45, 10), moment),
        of("TO_NUMBER(s)", Decimal("7.5"), number, s="007.50"),
        of("CASE WHEN d >= DATE '2026-01-31' THEN 'new' ELSE 'old' END", "new"),
        of("NULLIF(a, 'abc')", None),
        of("COALESCE(b, a)", "abc"),
        of("CAST(n AS NUMBER(5,1))", Decimal("123.5"), number),
        of("CAST(i AS VARCHAR2(10))", "7"),
        of("strangler.packed(p, 5, 2)", Decimal("-123.45"), number),
        of("strangler.zoned(s, 5, 2)", Decimal("-123.45"), number, s="1234N"),
        of("strangler.date_or_null(s, 'YYYYMMDD')", None, "date", s="00000000"),
        of("strangler.short_date(s, 'YYMMDD', 70)", date(1970, 1, 31), "date", s="700131"),
        of("SYSDATE", REFUSED, moment),
        of("CASE WHEN a = '' THEN 'e' ELSE 'f' END", REFUSED),
        of("MONTHS_BETWEEN(d, f)", REFUSED, number),
        of("TO_NUMBER(s, '99G999')", REFUSED, number),
        of("REGEXP_REPLACE(a, 'b', 'x')", REFUSED),
        of("INITCAP(a)", REFUSED),
        of("TO_CHAR(d, 'DD-MON-RR')", REFUSED),
        of("TO_DATE(s, 'RRMMDD')", REFUSED, "date", s="700131"),
        of("n / 3", REFUSED, number),
        of("ROWNUM", REFUSED, "integer"),
    ]


def _tsql() -> list[Translation]:
    def of(expression: str, means: object, kind: str = "text", **row: object) -> Translation:
        return Translation("tsql", expression, means, kind, row)

    moment = "timestamp without time zone"
    return [
        of("ISNULL(b, 'x')", "x"),
        of("a + 'x'", "abcx"),
        of("a + b", None),
        of("CONCAT(a, b)", "abc"),
        of("LEN(a)", 2, "integer", a="ab  "),
        of("i / 2", Decimal(3), "numeric"),
        of("n / 100", Decimal("1.2345"), "numeric"),
        of("i % 3", Decimal(1), "numeric"),
        of("CAST(n AS INT)", 123, "integer", n=Decimal("123.75")),
        of("CAST(n AS DECIMAL(5,1))", Decimal("123.5"), "numeric"),
        of("CAST(l AS VARCHAR)", "x" * 30),
        of("CONVERT(VARCHAR(10), d, 103)", "31/01/2026"),
        of("CONVERT(VARCHAR(8), d, 112)", "20260131"),
        of("CONVERT(DATE, s, 112)", DAY, "date"),
        of("CONVERT(INT, s)", 42, "integer", s="42"),
        of("DATEDIFF(day, f, d)", 1, "integer", d=datetime(2026, 1, 1, 0, 1)),
        of("DATEDIFF(month, f, d)", 1, "integer", d=datetime(2026, 1, 1, 0, 1)),
        of("DATEDIFF(year, f, d)", 1, "integer", d=datetime(2026, 1, 1, 0, 1)),
        of("DATEDIFF(hour, f, d)", 1, "integer", d=datetime(2026, 1, 1, 0, 1)),
        of("DATEADD(month, 1, d)", datetime(2026, 2, 28, 13, 45, 10), moment),
        of("DATEADD(day, -1, d)", datetime(2026, 1, 30, 13, 45, 10), moment),
        of("EOMONTH(d)", DAY, "date"),
        of("YEAR(d)", 2026, "integer"),
        of("DATEPART(month, d)", 1, "integer"),
        of("LEFT(c, 4)", "X   "),
        of("RIGHT(a, 2)", "bc"),
        of("CHARINDEX('a', a, 3)", 4, "integer", a="banana"),
        of("SUBSTRING(a, 0, 3)", "ab"),
        of("IIF(n > 100, 'big', 'small')", "big"),
        of("ROUND(n, 1, 1)", Decimal("123.4"), "numeric"),
        of("LTRIM(RTRIM(a))", "x", a=" x "),
        of("REPLACE(a, 'b', '-')", "a-c"),
        of("GREATEST(n, m)", Decimal("123.45"), "numeric"),
        of("CAST(d AS DATE)", DAY, "date"),
        of("TRY_CAST(a AS INT)", REFUSED, "integer"),
        of("GETDATE()", REFUSED, moment),
        of("DATENAME(month, d)", REFUSED),
        of("CAST(n AS FLOAT)", REFUSED, "numeric"),
        of("CAST(n AS MONEY)", REFUSED, "numeric"),
        of("CHOOSE(i, 'a', 'b')", REFUSED),
        of("ISNULL(b, 'longer than ten')", REFUSED),
    ]


def _mysql() -> list[Translation]:
    def of(expression: str, means: object, kind: str = "text", **row: object) -> Translation:
        return Translation("mysql", expression, means, kind, row)

    moment = "timestamp without time zone"
    return [
        of("IFNULL(b, 'x')", "x"),
        of("IF(n > 100, 'big', 'small')", "big"),
        of("CONCAT(a, b)", None),
        of("CONCAT_WS('-', a, b, 'z')", "abc-z"),
        of("CHAR_LENGTH(a)", 3, "integer"),
        of("n / 4", Decimal("30.8625"), "numeric"),
        of("i / 2", Decimal("3.5"), "numeric"),
        of("i DIV 2", Decimal(3), "numeric"),
        of("MOD(i, 3)", Decimal(1), "numeric"),
        of("TRUNCATE(n, 1)", Decimal("123.4"), "numeric"),
        of("DATEDIFF(d, f)", 1, "integer", d=datetime(2026, 1, 1, 0, 1)),
        of("DATE_ADD(d, INTERVAL 1 MONTH)", datetime(2026, 2, 28, 13, 45, 10), moment),
        of("DATE_SUB(d, INTERVAL 1 DAY)", datetime(2026, 1, 30, 13, 45, 10), moment),
        of("LAST_DAY(d)", DAY, "date"),
        of("DAYOFMONTH(d)", 31, "integer"),
        of("DATE(d)", DAY, "date"),
        of("DATE_FORMAT(d, '%Y%m%d')", "20260131"),
        of("STR_TO_DATE(s, '%Y%m%d')", DAY, "date"),
        of("SUBSTRING(a, -2)", "bc"),
        of("LOCATE('a', a, 3)", 4, "integer", a="banana"),
        of("GREATEST(n, m)", None, "numeric"),
        of("CASE WHEN a <=> b THEN 'same' ELSE 'other' END", "other"),
        of("TRIM(LEADING '0' FROM a)", "120", a="00120"),
        of("CAST(s AS SIGNED)", 42, "bigint", s="42"),
        of("CAST(a AS CHAR(2))", "ab"),
        of("CAST(n AS DECIMAL(5,1))", Decimal("123.5"), "numeric"),
        of("LENGTH(a)", REFUSED, "integer", a="é"),
        of("NOW()", REFUSED, moment),
        of("SUBSTRING_INDEX(a, 'b', 1)", REFUSED),
        of("FROM_UNIXTIME(i)", REFUSED, moment),
        of("n / 3", REFUSED, "numeric"),
    ]


TRANSLATIONS = [*_oracle(), *_tsql(), *_mysql()]
