"""Defaults, checks and computed columns as PostgreSQL expressions: an allow-list of tokens; the rest has no equivalent.

What a legacy database computes in a default or a check is short. Everything is translated token by token from one
table, so nothing is ever passed through that PostgreSQL would read in another way.
"""

from __future__ import annotations

from collections.abc import Sequence

from migrations.importing.model import Table, Untranslatable, folded, quoted
from migrations.importing.tokens import Cursor, Token

_WORDS = frozenset(["AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "LIKE", "CASE", "WHEN", "THEN", "ELSE", "END"])
_MARKS = frozenset(["+", "-", "*", "/", "%", "(", ")", ",", "=", "<>", "!=", "<", ">", "<=", ">=", "||"])
_FUNCTIONS = {
    "UPPER": "upper",
    "LOWER": "lower",
    "ABS": "abs",
    "ROUND": "round",
    "TRIM": "trim",
    "LTRIM": "ltrim",
    "RTRIM": "rtrim",
    "COALESCE": "COALESCE",
    "NULLIF": "NULLIF",
    "SUBSTR": "substr",
    "CHAR_LENGTH": "length",
    "REPLACE": "replace",
}
_OF_DIALECT = {
    "oracle": {"NVL": "COALESCE", "LENGTH": "length"},
    "tsql": {"ISNULL": "COALESCE", "LEN": "length", "SUBSTRING": "substr"},
    "mysql": {"IFNULL": "COALESCE", "SUBSTRING": "substr"},
}
_UTC = "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')"
# What stands for a value without arguments, or with an empty pair of parentheses.
_VALUES = {
    "oracle": {
        "SYSDATE": "LOCALTIMESTAMP(0)",
        "SYSTIMESTAMP": "CURRENT_TIMESTAMP",
        "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP",
        "CURRENT_DATE": "LOCALTIMESTAMP(0)",
        "LOCALTIMESTAMP": "LOCALTIMESTAMP",
        "USER": "CURRENT_USER",
        "SYS_GUID": "decode(replace(gen_random_uuid()::text, '-', ''), 'hex')",
    },
    "tsql": {
        "GETDATE": "LOCALTIMESTAMP(3)",
        "CURRENT_TIMESTAMP": "LOCALTIMESTAMP(3)",
        "SYSDATETIME": "LOCALTIMESTAMP",
        "SYSDATETIMEOFFSET": "CURRENT_TIMESTAMP",
        "GETUTCDATE": _UTC,
        "SYSUTCDATETIME": _UTC,
        "NEWID": "gen_random_uuid()",
        "NEWSEQUENTIALID": "gen_random_uuid()",
        "SUSER_SNAME": "CURRENT_USER",
        "SUSER_NAME": "CURRENT_USER",
        "USER_NAME": "CURRENT_USER",
    },
    "mysql": {
        "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP",
        "NOW": "CURRENT_TIMESTAMP",
        "CURDATE": "CURRENT_DATE",
        "CURRENT_DATE": "CURRENT_DATE",
        "UUID": "gen_random_uuid()",
    },
}


def literal(value: str) -> str:
    """A text as SQL, independent of standard_conforming_strings."""
    escaped = value.replace("'", "''")
    return "E'" + escaped.replace("\\", "\\\\") + "'" if "\\" in value else f"'{escaped}'"


def stripped(tokens: Sequence[Token]) -> list[Token]:
    """The tokens without the parentheses that SQL Server puts around every default."""
    while _is_wrapped(tokens):
        tokens = tokens[1:-1]
    return list(tokens)


def _is_wrapped(tokens: Sequence[Token]) -> bool:
    if len(tokens) < 3 or tokens[0].text != "(" or tokens[-1].text != ")":
        return False
    return len(Cursor(tokens).group()) == len(tokens) - 2


def default_sql(tokens: Sequence[Token], dialect: str, kind: str) -> str | None:
    """A default for a column of a PostgreSQL type; None where there is none. Raises Untranslatable."""
    tokens = stripped(tokens)
    only = tokens[0] if len(tokens) == 1 else None
    text = only.value if only is not None and only.kind == "string" else None
    if (only is not None and only.upper == "NULL") or (dialect == "oracle" and text == ""):
        return None  # Oracle's empty text is NULL
    if dialect == "mysql" and (text or "").startswith("0000-00-00"):
        raise Untranslatable("the default is the date zero, which PostgreSQL does not have")
    if kind == "boolean":
        return _flag(tokens)
    if (sequence := _next_value(tokens)) is not None:
        return f"nextval({literal(f'public.{quoted(sequence)}')}::regclass)"
    return expression_sql(tokens, dialect, None)


def _flag(tokens: Sequence[Token]) -> str:
    text = "".join(token.text for token in tokens).strip("bB").strip("'").upper()
    found = {"0": "false", "1": "true", "FALSE": "false", "TRUE": "true"}.get(text)
    if found is None:
        raise Untranslatable("the default of a flag is not 0 or 1")
    return found


def _next_value(tokens: Sequence[Token]) -> str | None:
    """SCHEMA.SEQ.NEXTVAL, and NEXT VALUE FOR [dbo].[Seq]."""
    if tokens and tokens[-1].name.upper() == "NEXTVAL" and len(tokens) >= 3:
        return folded(tokens[-3].name)
    if [token.upper for token in tokens[:3]] == ["NEXT", "VALUE", "FOR"] and len(tokens) > 3:
        return folded(tokens[-1].name)
    return None


def expression_sql(tokens: Sequence[Token], dialect: str, table: Table | None) -> str:
    """An expression over the table's columns; without a table it may name no column. Raises Untranslatable."""
    cursor, parts = Cursor(tokens), []
    flag = False  # whether a boolean column was read last, so that 0 and 1 beside it mean false and true
    while not cursor.is_at_end:
        token = cursor.take()
        text = _piece(token, cursor, dialect, table)
        if flag and token.text in ("0", "1"):
            text = "true" if token.text == "1" else "false"
        column = table.column(folded(token.name)) if table and token.is_name else None
        is_beside = token.kind == "mark" and token.text in ("=", "<>", "!=", "(", ")")
        flag = (flag and is_beside) or (column is not None and column.kind == "boolean")
        parts.append(text)
    return " ".join(parts).replace("( ", "(").replace(" )", ")").replace(" ,", ",")


def _piece(token: Token, cursor: Cursor, dialect: str, table: Table | None) -> str:
    if token.kind == "string":
        return literal(token.value)
    if token.kind == "number":
        return token.text
    if token.kind == "mark":
        if token.text not in _MARKS or (token.text == "+" and dialect == "tsql" and _joins_text(cursor, table)):
            raise Untranslatable(f"{token.text!r} has no equal here")
        return "<>" if token.text == "!=" else token.text
    return _word(token, cursor, dialect, table)


def _joins_text(cursor: Cursor, table: Table | None) -> bool:
    following = cursor.peek()
    column = table.column(folded(following.name)) if table and following and following.is_name else None
    is_text = column is not None and column.kind.startswith(("varchar", "char", "text"))
    return (following is not None and following.kind == "string") or is_text


def _word(token: Token, cursor: Cursor, dialect: str, table: Table | None) -> str:
    upper, following = token.upper, cursor.peek()
    value = _VALUES[dialect].get(upper)
    if value is not None:
        if cursor.skip("(", ")"):
            return value
        if cursor.sees("("):  # a precision, such as CURRENT_TIMESTAMP(6)
            precision = cursor.group()
            return f"{value}({min(int(precision[0].text), 6)})" if value.isupper() else value
        return value
    is_call = following is not None and following.text == "("
    function = _FUNCTIONS.get(upper) or _OF_DIALECT[dialect].get(upper)
    if is_call and function is not None:
        return function
    if upper in _WORDS:
        return upper
    if table is not None and not is_call and table.column(folded(token.name)) is not None:
        return quoted(folded(token.name))
    raise Untranslatable(f"{token.text[:60]!r} has no equal here")
