"""Our own rules on top of squawk's: what locks, breaks or loses, and is allowed in one phase but not in the other.

One table. A rule looks at one statement and at the tables that the same revision made: what happens to a table that
nobody uses yet harms nobody. Facts: reference of PostgreSQL's explicit locking, and what squawk 2.70 does not find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migrations.sql_text import SqlStatement

Branch = str
BOTH, EXPAND = ("expand", "contract"), ("expand",)
_NAME = r'((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)'
_MADE = re.compile(rf"^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?{_NAME}")
_ALTERED = re.compile(rf"^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{_NAME}")
_WRITTEN = re.compile(rf"^(?:UPDATE|DELETE FROM) (?:ONLY )?{_NAME}")
_MONEY = r"\b\w*(?:AMOUNT|AMT|BALANCE|BAL|PRICE|FEE|COST|TOTAL|SALDO|CHARGE|PAYMENT|INTEREST)\w*"
_FLOAT = r"(?:REAL|FLOAT\d?|FLOAT ?\(\d+\)|DOUBLE PRECISION)\b"
_SETTINGS = "SESSION_REPLICATION_ROLE|ROLE|SEARCH_PATH|LOCK_TIMEOUT|STATEMENT_TIMEOUT"
_TIDY = "in batches by the stream or a job of its own, where it can be resumed and throttled"


@dataclass(frozen=True)
class Revision:
    """What the rules know of the revision: its branch, its statements, the tables that it makes."""

    branch: Branch
    statements: Sequence[SqlStatement]

    @property
    def made(self) -> frozenset[str]:
        """The tables that this revision creates."""
        found = (_MADE.match(statement.words) for statement in self.statements)
        return frozenset(_bare(match[1]) for match in found if match)

    def is_new(self, name: str) -> bool:
        """Whether nobody can be using the table yet."""
        return _bare(name) in self.made


Finds = Callable[[SqlStatement, Revision], bool]


@dataclass(frozen=True)
class Rule:
    """One rule: where it holds, how it finds a statement, what happens there, and what to write instead."""

    name: str
    branches: tuple[Branch, ...]
    finds: Finds
    danger: str
    instead: str
    is_error: bool = True


def _bare(name: str) -> str:
    return name.rpartition(".")[2].strip('"').upper()


def _says(pattern: str) -> Finds:
    found = re.compile(pattern)
    return lambda statement, _: found.search(statement.words) is not None


def _on_existing(pattern: str) -> Finds:
    """The first group of the pattern is the table's name."""
    found = re.compile(pattern)

    def finds(statement: SqlStatement, revision: Revision) -> bool:
        match = found.search(statement.words)
        return match is not None and not revision.is_new(match[1])

    return finds


def _foreign_key_without_index(statement: SqlStatement, revision: Revision) -> bool:
    """A foreign key whose first column no index or key of the revision begins with."""
    table = _ALTERED.match(statement.words) or _MADE.match(statement.words)
    if table is None:
        return False
    keys = re.findall(r"FOREIGN KEY \(\s*\"?(\w+)", statement.words)
    keys += re.findall(r"[(,] ?\"?(\w+)\"? [^,()]*(?:\([^)]*\)[^,()]*)?\bREFERENCES\b", statement.words)
    keys += re.findall(r"ADD COLUMN (?:IF NOT EXISTS )?\"?(\w+)\"? [^,]*\bREFERENCES\b", statement.words)
    return any(not _is_indexed(_bare(table[1]), key, revision) for key in keys if key != "CONSTRAINT")


def _is_indexed(table: str, column: str, revision: Revision) -> bool:
    for statement in revision.statements:
        index = re.match(
            rf"^CREATE (?:UNIQUE )?INDEX .*? ON (?:ONLY )?{_NAME} (?:USING \w+ )?\( ?\"?(\w+)", statement.words
        )
        if index and _bare(index[1]) == table and index[2] == column:
            return True
        made = _MADE.match(statement.words)
        if made and _bare(made[1]) == table:
            key = re.search(rf"(?:PRIMARY KEY|UNIQUE) \( ?\"?{column}\b", statement.words)
            inline = re.search(rf"[(,] ?\"?{column}\"? [^,]*(?:PRIMARY KEY|UNIQUE)", statement.words)
            if key or inline:
                return True
    return False


def _without_primary_key(statement: SqlStatement, revision: Revision) -> bool:
    made = _MADE.match(statement.words)
    if made is None or "PRIMARY KEY" in statement.words or " PARTITION OF " in statement.words:
        return False
    later = rf"^ALTER TABLE (?:ONLY )?\S*\b{re.escape(_bare(made[1]))}\"? .*ADD .*PRIMARY KEY"
    return not any(re.search(later, other.words) for other in revision.statements)


def _enum_value_used(statement: SqlStatement, revision: Revision) -> bool:
    if not re.search(r"^ALTER TYPE .* ADD VALUE", statement.words):
        return False
    value = re.search(r"ADD VALUE (?:IF NOT EXISTS )?'([^']+)'", statement.text, re.IGNORECASE)
    others = [other.text for other in revision.statements if other is not statement]
    return value is not None and any(f"'{value[1]}'" in text for text in others)


def _local_setting_is_gone(statement: SqlStatement, revision: Revision) -> bool:
    """A SET LOCAL holds to the next COMMIT: what comes after it runs without."""
    if not statement.words.startswith("SET LOCAL"):
        return False
    at = revision.statements.index(statement)
    rest = [other.words for other in revision.statements[at + 1 :]]
    if "COMMIT" not in rest:
        return False
    after = [words for words in rest[rest.index("COMMIT") + 1 :] if words not in ("BEGIN", "COMMIT")]
    return any(not words.startswith(("UPDATE PUBLIC.ALEMBIC", "UPDATE ALEMBIC", "INSERT INTO")) for words in after)


def _writes_rows(statement: SqlStatement, revision: Revision) -> bool:
    match = _WRITTEN.match(statement.words)
    return match is not None and "ALEMBIC_VERSION" not in statement.words and not revision.is_new(match[1])


RULES = (
    Rule(
        "unbatched-write", BOTH, _writes_rows, "rows are written in the revision's transaction and stay locked", _TIDY
    ),
    Rule(
        "fill-from-select",
        BOTH,
        _on_existing(rf"^INSERT INTO {_NAME} .*\bSELECT\b.*\bFROM\b"),
        "rows are copied in one transaction",
        _TIDY,
    ),
    Rule(
        "truncate",
        EXPAND,
        _on_existing(rf"^TRUNCATE (?:TABLE )?(?:ONLY )?{_NAME}"),
        "ACCESS EXCLUSIVE, and all rows go",
        "only contract removes",
    ),
    Rule(
        "lock-table",
        BOTH,
        _says(r"^LOCK (?:TABLE )?"),
        "a lock taken by hand is held to the end of the transaction",
        "let each statement take its own",
    ),
    Rule(
        "rewrite-of-the-table",
        BOTH,
        _says(r"^VACUUM (?:\(.*FULL|FULL)|^CLUSTER\b"),
        "ACCESS EXCLUSIVE while the table is rewritten",
        "pg_repack, or nothing",
    ),
    Rule(
        "set-unlogged",
        BOTH,
        _on_existing(rf"^ALTER TABLE (?:ONLY )?{_NAME} SET (?:UN)?LOGGED"),
        "the table is rewritten; unlogged rows reach no stream",
        "make a new table",
    ),
    Rule(
        "set-tablespace",
        BOTH,
        _says(r"^ALTER (?:TABLE|INDEX) .* SET TABLESPACE"),
        "ACCESS EXCLUSIVE while every byte is copied",
        "pg_repack --tablespace",
    ),
    Rule(
        "refresh-blocks-readers",
        BOTH,
        _says(r"^REFRESH MATERIALIZED VIEW (?!CONCURRENTLY)"),
        "readers wait until it is done",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY",
    ),
    Rule(
        "trigger-on-a-used-table",
        EXPAND,
        _on_existing(rf"^CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .*? ON {_NAME}"),
        "SHARE ROW EXCLUSIVE: writers wait, and every write pays for it from then on",
        "let the stream or the service do it",
    ),
    Rule(
        "attach-partition",
        BOTH,
        _says(r"^ALTER TABLE .* ATTACH PARTITION"),
        "the partition is scanned under a lock",
        "first a validated CHECK with its bounds",
        is_error=True,
    ),
    Rule(
        "drop-trigger",
        EXPAND,
        _says(r"^DROP TRIGGER"),
        "it may be the write fence, or legacy's own logic",
        "only contract removes",
    ),
    Rule("drop-policy", EXPAND, _says(r"^DROP POLICY"), "rows become visible that were not", "only contract removes"),
    Rule(
        "serial-column-on-a-used-table",
        BOTH,
        _on_existing(rf"^ALTER TABLE (?:ONLY )?{_NAME} ADD (?:COLUMN )?.*\b(?:BIG|SMALL)?SERIAL\b"),
        "the table is rewritten under ACCESS EXCLUSIVE",
        "a nullable bigint, filled by the stream",
    ),
    Rule(
        "inline-check",
        BOTH,
        _on_existing(rf"^ALTER TABLE (?:ONLY )?{_NAME} ADD COLUMN .*\bCHECK \("),
        "the table is scanned under ACCESS EXCLUSIVE",
        "the column first, then ADD CONSTRAINT ... NOT VALID, then VALIDATE",
    ),
    Rule(
        "concurrent-index-without-a-name",
        BOTH,
        _says(r"^CREATE (?:UNIQUE )?INDEX CONCURRENTLY ON\b"),
        "what is left of a failed one cannot be named",
        "give it a name",
    ),
    Rule(
        "hidden-in-a-block",
        BOTH,
        _says(r"^DO \$\$|^DO LANGUAGE|^DO ''"),
        "no linter sees what a block does",
        "write its statements",
    ),
    Rule(
        "foreign-key-without-index",
        BOTH,
        _foreign_key_without_index,
        "every delete of the referenced row scans the table",
        "index the column first",
    ),
    Rule("no-primary-key", BOTH, _without_primary_key, "no stream can follow a table without a key", "PRIMARY KEY"),
    Rule(
        "publication-for-all-tables",
        BOTH,
        _says(r"^CREATE PUBLICATION .* FOR ALL TABLES"),
        "every table without a key refuses UPDATE and DELETE at once",
        "name the tables",
    ),
    Rule(
        "json-type",
        BOTH,
        _says(r"^(?:CREATE TABLE|ALTER TABLE) .*[ (]JSON\b"),
        "json has no equality: DISTINCT, GROUP BY and comparisons fail",
        "jsonb",
    ),
    Rule(
        "money-type",
        BOTH,
        _says(r"^(?:CREATE TABLE|ALTER TABLE) .* MONEY\b"),
        "its text depends on the server's locale",
        "numeric(19,2)",
    ),
    Rule(
        "timetz-type",
        BOTH,
        _says(r"^(?:CREATE TABLE|ALTER TABLE) .*(?: TIMETZ\b| TIME (?:\(\d\) )?WITH TIME ZONE)"),
        "a time with zone but without a date means nothing",
        "timestamptz",
    ),
    Rule(
        "float-for-money",
        BOTH,
        _says(rf"^(?:CREATE|ALTER) TABLE .*[(, ]\"?{_MONEY}\"? (?:TYPE )?{_FLOAT}"),
        "a binary float rounds money",
        "numeric with a precision",
    ),
    Rule(
        "enum-value-used-at-once",
        BOTH,
        _enum_value_used,
        "a new value cannot be used before its transaction has ended",
        "two revisions",
    ),
    Rule(
        "local-setting-is-gone",
        BOTH,
        _local_setting_is_gone,
        "SET LOCAL ended at the COMMIT: what follows runs without it",
        "nothing: `migrate upgrade` sets the timeouts",
    ),
    Rule(
        "exclusion-on-a-used-table",
        BOTH,
        _on_existing(rf"^ALTER TABLE (?:ONLY )?{_NAME} ADD (?:CONSTRAINT \S+ )?EXCLUDE"),
        "its index is built under ACCESS EXCLUSIVE; there is no NOT VALID for it",
        "a new table, or a maintenance window",
    ),
    Rule(
        "renumbered-sequence",
        EXPAND,
        _says(r"^(?:ALTER SEQUENCE .* RESTART|SELECT (?:PG_CATALOG\.)?SETVAL)"),
        "numbers of legacy may be given out again",
        "the cutover raises sequences",
    ),
    Rule(
        "session-setting",
        BOTH,
        _says(rf"^SET (?:SESSION )?(?:{_SETTINGS})\b"),
        "it outlives the revision and holds for the next one",
        "SET LOCAL, or the runner's own",
    ),
)

# squawk proposes NOT VALID for these, which PostgreSQL does not allow; our own rules speak of them.
NOT_VALID_IS_WRONG = re.compile(r"\bADD (?:CONSTRAINT \S+ )?(?:EXCLUDE|PRIMARY KEY|UNIQUE)\b")
