"""The statements that are left out, each by its kind: why, and what somebody has to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from migrations.importing.script import Statement


@dataclass(frozen=True)
class LeftOut:
    """A kind of statement: the type of its object in the report, and why it is not translated."""

    type: str
    reason: str


_LOGIC = "logic of the legacy database: what is still needed belongs into the service"
_OURS = "PostgreSQL has no such thing, or is set up in another way"
# The first words that decide, longest first; `*` stands for OR REPLACE, EDITIONABLE, DEFINER and the like.
_KINDS = {
    "TRIGGER": LeftOut("trigger", _LOGIC),
    "PACKAGE BODY": LeftOut("package body", _LOGIC),
    "PACKAGE": LeftOut("package", _LOGIC),
    "PROCEDURE": LeftOut("procedure", _LOGIC),
    "PROC": LeftOut("procedure", _LOGIC),
    "FUNCTION": LeftOut("function", _LOGIC),
    "TYPE BODY": LeftOut("type body", _LOGIC),
    "TYPE": LeftOut("type", "a user-defined type: its columns need a type of PostgreSQL"),
    "EVENT": LeftOut("event", _LOGIC),
    "MATERIALIZED VIEW LOG": LeftOut("materialized view log", _OURS),
    "MATERIALIZED VIEW": LeftOut("materialized view", "a view belongs to who reads it: write it over the new tables"),
    "VIEW": LeftOut("view", "a view belongs to who reads it: write it over the new tables"),
    "SYNONYM": LeftOut("synonym", "a name for another object: the service names its tables"),
    "DATABASE LINK": LeftOut("database link", "reads another database: use an interface of its owner"),
    "DATABASE": LeftOut("database", "databases are made by whoever runs them"),
    "SCHEMA": LeftOut("schema", "everything is imported into one schema"),
    "USER": LeftOut("user", "who may do what is set up with the service"),
    "ROLE": LeftOut("role", "who may do what is set up with the service"),
    "LOGIN": LeftOut("login", "who may do what is set up with the service"),
    "TABLESPACE": LeftOut("tablespace", _OURS),
    "DIRECTORY": LeftOut("directory", _OURS),
    "CLUSTER": LeftOut("cluster", _OURS),
    "CONTEXT": LeftOut("context", _OURS),
    "FULLTEXT": LeftOut("fulltext index", "search is another thing in PostgreSQL: tsvector and a GIN index"),
    "SPATIAL": LeftOut("spatial index", "needs PostGIS"),
    "COLUMNSTORE INDEX": LeftOut("columnstore index", _OURS),
    "XML INDEX": LeftOut("xml index", _OURS),
    "STATISTICS": LeftOut("statistics", "PostgreSQL keeps its own"),
    "PARTITION": LeftOut("partition scheme", "partitions are left out: see the table's findings"),
    "ASSEMBLY": LeftOut("assembly", _LOGIC),
    "GLOBAL TEMPORARY TABLE": LeftOut("temporary table", "a session makes its own temporary tables in PostgreSQL"),
    "PRIVATE TEMPORARY TABLE": LeftOut("temporary table", "a session makes its own temporary tables in PostgreSQL"),
    "TEMPORARY TABLE": LeftOut("temporary table", "a session makes its own temporary tables in PostgreSQL"),
}
_VERBS = {
    "GRANT": LeftOut("grant", "who may do what is set up with the service"),
    "REVOKE": LeftOut("grant", "who may do what is set up with the service"),
    "DENY": LeftOut("grant", "who may do what is set up with the service"),
    "INSERT": LeftOut("data", "rows are copied by the stream, not by the schema"),
    "REPLACE": LeftOut("data", "rows are copied by the stream, not by the schema"),
    "UPDATE": LeftOut("data", "rows are copied by the stream, not by the schema"),
    "DELETE": LeftOut("data", "rows are copied by the stream, not by the schema"),
    "MERGE": LeftOut("data", "rows are copied by the stream, not by the schema"),
    "COMMIT": LeftOut("data", "rows are copied by the stream, not by the schema"),
    "LOCK": LeftOut("setting", "of the client that loads the dump"),
    "UNLOCK": LeftOut("setting", "of the client that loads the dump"),
    "SET": LeftOut("setting", "of the client that loads the script"),
    "USE": LeftOut("setting", "of the client that loads the script"),
    "DROP": LeftOut("drop", "an expand revision removes nothing"),
    "EXEC": LeftOut("call", _LOGIC),
    "EXECUTE": LeftOut("call", _LOGIC),
    "BEGIN": LeftOut("block", _LOGIC),
    "DECLARE": LeftOut("block", _LOGIC),
    "IF": LeftOut("block", _LOGIC),
    "PRINT": LeftOut("setting", "of the client that loads the script"),
    "ANALYZE": LeftOut("statistics", "PostgreSQL keeps its own"),
    "AUDIT": LeftOut("audit", _OURS),
    "ALTER": LeftOut("alteration", "what it changes is not part of the imported schema"),
    "CREATE": LeftOut("other", "the importer does not know this kind of object"),
    "CALL": LeftOut("call", _LOGIC),
}
_CLIENT = LeftOut("setting", "of the client that loads the script")

_WORDS = """
OR REPLACE EDITIONABLE NONEDITIONABLE FORCE NO PUBLIC UNIQUE BITMAP SHARED DEFINER SQL SECURITY INVOKER ALGORITHM
UNDEFINED MERGE TEMPTABLE AGGREGATE CLUSTERED NONCLUSTERED PRIMARY = . @ IF NOT EXISTS
"""
_FILLERS = frozenset(_WORDS.split())


def left_out(statement: Statement) -> tuple[LeftOut, str]:
    """The kind of a statement that is not translated, and the name of its object."""
    tokens = statement.tokens
    verb = tokens[0].upper
    if verb in ("CREATE", "ALTER", "DROP"):
        at = 1
        while at < len(tokens) - 1 and (tokens[at].upper in _FILLERS or not tokens[at].upper):
            at += 1
        for length in (3, 2, 1):
            kind = _KINDS.get(" ".join(token.upper for token in tokens[at : at + length]))
            if kind is not None and verb == "CREATE":
                return kind, _name(statement, at + length)
            if kind is not None:
                return LeftOut(f"{verb.lower()} {kind.type}", _VERBS[verb].reason), _name(statement, at + length)
        return _VERBS[verb], _name(statement, at + 1)
    return _VERBS.get(verb, _CLIENT), " ".join(token.text for token in tokens[:4])[:80]


def _name(statement: Statement, at: int) -> str:
    """The last part of the qualified name that begins at a token."""
    tokens = statement.tokens
    while at < len(tokens) - 1 and tokens[at].upper in _FILLERS:
        at += 1
    if at >= len(tokens):
        return tokens[-1].name
    while at + 2 < len(tokens) and tokens[at + 1].text == ".":
        at += 2
    return tokens[at].name[:80]
