"""Drops from a statement's tokens what PostgreSQL has no word for: storage, compression, logging, file groups.

A table of patterns, matched on tokens and never on text. Each thing dropped is given back by its name, so that the
report has a line for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from migrations.importing.tokens import Token

# A pattern is words and placeholders: `_` is one token, `()` a group in parentheses, `=` an equals sign that may be
# left out, `a|b` either word; a `?` at the end makes any of them optional.
_ORACLE = """
PCTFREE _; PCTUSED _; INITRANS _; MAXTRANS _; STORAGE (); TABLESPACE _; LOGGING; NOLOGGING; FILESYSTEM_LIKE_LOGGING
NOCOMPRESS; COMPRESS BASIC|ADVANCED|_? LOW|HIGH?; COMPRESS FOR _ _?; ROW STORE COMPRESS BASIC|ADVANCED?
COLUMN STORE COMPRESS FOR _ _ NO? ROW? LEVEL? LOCKING?
SEGMENT CREATION IMMEDIATE|DEFERRED; COMPUTE STATISTICS; NOPARALLEL; PARALLEL (); PARALLEL _; MONITORING; NOMONITORING
ENABLE ROW MOVEMENT; DISABLE ROW MOVEMENT; RESULT_CACHE (); INMEMORY; NO INMEMORY; FLASHBACK ARCHIVE _?
NO FLASHBACK ARCHIVE; BUFFER_POOL _; ORGANIZATION HEAP; INCLUDING _ OVERFLOW?; OVERFLOW; PCTTHRESHOLD _
LOB () STORE AS SECUREFILE|BASICFILE? (); LOB () STORE AS SECUREFILE|BASICFILE? _ ()
NESTED TABLE _ STORE AS _; VARRAY _ STORE AS SECUREFILE|BASICFILE? LOB _? ()
XMLTYPE COLUMN? _ STORE AS SECUREFILE|BASICFILE? BINARY? XML|CLOB? ()?
DEFAULT COLLATION _; COLLATE _; NO DROP; READ WRITE; ROWDEPENDENCIES; NOROWDEPENDENCIES; CLUSTERING BY _ ORDER ()
USING INDEX (); USING INDEX _ . _; USING INDEX; VISIBLE; INVISIBLE; ONLINE; RELY; NORELY; VALIDATE
ILM ADD _; INDEXING ON|OFF; MEMOPTIMIZE FOR _; NO MEMOPTIMIZE FOR _
"""
_TSQL = """
TEXTIMAGE_ON _; FILESTREAM_ON _ ()?; ON _ (); ON _; WITH (); CLUSTERED; NONCLUSTERED; NOT FOR REPLICATION
COLLATE _; SPARSE; ROWGUIDCOL; PERIOD FOR SYSTEM_TIME (); LOCK_ESCALATION = _; DATA_COMPRESSION = _; HIDDEN
MASKED WITH ()
"""
_MYSQL = """
ENGINE = _; ROW_FORMAT = _; KEY_BLOCK_SIZE = _; STATS_PERSISTENT = _; STATS_AUTO_RECALC = _; STATS_SAMPLE_PAGES = _
AVG_ROW_LENGTH = _; MAX_ROWS = _; MIN_ROWS = _; PACK_KEYS = _; CHECKSUM = _; DELAY_KEY_WRITE = _; CONNECTION = _
DEFAULT? CHARSET = _; DEFAULT? CHARACTER SET = _; DEFAULT? COLLATE = _; CHARSET _; CHARACTER SET _; COLLATE _
USING BTREE|HASH; TABLESPACE _; STORAGE DISK|MEMORY; COLUMN_FORMAT _; VISIBLE; DATA DIRECTORY = _; INDEX DIRECTORY = _
COMPRESSION = _; ENCRYPTION = _; INSERT_METHOD = _; AUTOEXTEND_SIZE = _; ALGORITHM = _; LOCK = _; SECONDARY_ENGINE = _
"""


def _compiled(text: str) -> dict[str, list[tuple[str, ...]]]:
    table: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for line in text.strip().replace("\n", ";").split(";"):
        if pattern := tuple(line.split()):
            table[pattern[0].rstrip("?")].append(pattern)
            if pattern[0].endswith("?"):
                table[pattern[1]].append(pattern[1:])
    for patterns in table.values():
        patterns.sort(key=len, reverse=True)
    return dict(table)


_TABLES = {"oracle": _compiled(_ORACLE), "tsql": _compiled(_TSQL), "mysql": _compiled(_MYSQL)}
_NOT_A_NAME = {"(", ")", ",", ".", ";", "UPDATE", "DELETE"}  # ON UPDATE belongs to a reference


def scrub(tokens: Sequence[Token], dialect: str) -> tuple[list[Token], list[str]]:
    """The tokens that mean something to PostgreSQL, and the names of the clauses that were dropped.

    The first token stays: it is the name of what is defined, and a column may be called as it likes.
    """
    table = _TABLES[dialect]
    kept, dropped, at = list(tokens[:1]), [], 1
    while at < len(tokens):
        for pattern in table.get(tokens[at].upper, ()):
            length = _match(pattern, tokens, at)
            if length:
                dropped.append(" ".join(part.rstrip("?") for part in pattern if part[0].isalpha() and "|" not in part))
                at += length
                break
        else:
            kept.append(tokens[at])
            at += 1
    return kept, dropped


def _match(pattern: tuple[str, ...], tokens: Sequence[Token], start: int) -> int:
    """How many tokens the pattern takes; 0 where it does not match."""
    at = start
    for part in pattern:
        wanted, is_optional = part.rstrip("?"), part.endswith("?") or part == "="
        length = _length(wanted, tokens, at)
        if not length and not is_optional:
            return 0
        at += length
    return at - start


def _length(wanted: str, tokens: Sequence[Token], at: int) -> int:
    if at >= len(tokens):
        return 0
    if wanted == "()":
        return _group(tokens, at)
    if wanted == "_":
        return int((tokens[at].upper or tokens[at].text) not in _NOT_A_NAME)
    if "|" in wanted:
        choices = wanted.split("|")
        return int(tokens[at].upper in choices or ("_" in choices and tokens[at].kind == "number"))
    return int(tokens[at].upper == wanted)


def _group(tokens: Sequence[Token], at: int) -> int:
    if tokens[at].text != "(":
        return 0
    depth = 0
    for length, token in enumerate(tokens[at:], start=1):
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
        if depth == 0:
            return length
    return 0
