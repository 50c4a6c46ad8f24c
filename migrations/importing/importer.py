"""The life of one import: read, written for PostgreSQL, run on a scratch database, kept as revisions, accounted for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import ClassVar

from config.errors import USAGE, StranglerError
from migrations.importing.emit import Step, emit
from migrations.importing.execute import execute
from migrations.importing.live_mysql import address_of
from migrations.importing.live_mysql import read_statements as read_mysql
from migrations.importing.live_postgres import connect, prove, read_live
from migrations.importing.reader import Schema, read_script, read_statements
from migrations.importing.report import ImportReport
from migrations.importing.revision import write_revisions
from migrations.importing.type_policy import TypePolicy
from migrations.importing.views import TranslateView, translated

_BYTES_MAX = 512 * 1024 * 1024
Tell = Callable[[str, int], None]
"""Hears the name of a step and how far it is."""


@dataclass(eq=False)
class ScriptUnreadable(StranglerError):
    """A file that is not a script of DDL."""

    path: Path
    problem: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The file and the problem."""
        return f"{self.path}: {self.problem}."

    @property
    def hint(self) -> str:
        """What it takes."""
        return "Give the output of DBMS_METADATA.GET_DDL, of SSMS (script database as), or of mysqldump --no-data."


def _ignore(_: str, __: int) -> None:
    """Nobody wants to hear about it."""


def _no_view(*_: object) -> tuple[str, str]:
    """Nobody is there who translates views."""
    return "", "it belongs to who reads it: write it over the new tables"


@dataclass(frozen=True)
class Means:
    """What an import works with: the folder of the revisions, a scratch database if statements are to be run.

    A view is a SELECT, which this package does not translate: whoever composes it with one that does hands it in.
    """

    folder: Path
    scratch_url: str | None = None
    tell: Tell = _ignore
    translate_view: TranslateView = _no_view


def import_script(path: Path, policy: TypePolicy, means: Means) -> ImportReport:
    """Import a file. Without a scratch database nothing is executed, and nothing is more than `parsed`.

    Raises ScriptUnreadable, DatabaseDown.
    """
    schema = read_script(read_text(path), policy, lambda count: means.tell("statements read", count))
    return _imported(schema, (str(path), path.stem), means)


def import_mysql(url: str, policy: TypePolicy, means: Means) -> ImportReport:
    """Import the database of a live MySQL or MariaDB, as the script that mysqldump would write.

    Raises MysqlNotReadable, DatabaseDown.
    """
    schema = read_statements(read_mysql(url), policy, lambda count: means.tell("statements read", count))
    name = address_of(url).database
    return _imported(schema, (f"database {name}", name), means)


def _imported(schema: Schema, named: tuple[str, str], means: Means) -> ImportReport:
    """Write what was read for PostgreSQL; `named` is what the report calls it, and the revision."""
    steps: list[Step] = list(emit(schema))
    views = list(schema.views.values())
    steps += starmap(Step, translated(views, schema.tables, schema.dialect, means.translate_view))
    if means.scratch_url is not None:
        steps = execute(means.scratch_url, steps, lambda count: means.tell(f"of {len(steps):,} statements run", count))
    source, title = named
    revisions = write_revisions(means.folder, title, steps) if steps else ()
    return ImportReport(source, tuple(schema.objects), len(schema.statements), schema.translated, revisions)


def import_live(
    source_url: str, schema: str, policy: TypePolicy, folder: Path, scratch_url: str | None, *, profile: bool = False
) -> ImportReport:
    """Import one schema of a live PostgreSQL; every object of its catalogue counts as one statement.

    Raises DatabaseDown.
    """
    with connect(source_url) as connection:
        connection.read_only = True
        live = read_live(connection, schema, policy.overrides, profile=profile)
    steps = live.steps
    if scratch_url is not None:
        steps = execute(scratch_url, steps)
        with connect(scratch_url) as scratch:
            prove(live, scratch, schema)
    revisions = write_revisions(folder, schema, steps)
    translated = sum(found.confidence not in ("left_out", "refused") for found in live.objects)
    return ImportReport(f"schema {schema}", tuple(live.objects), len(live.objects), translated, revisions)


def read_text(path: Path) -> str:
    """The text of a script: UTF-8, or UTF-16 as SSMS writes it."""
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise ScriptUnreadable(path, "it is larger than 512 MiB; leave the rows out")
        data = path.read_bytes()
    except OSError as error:
        raise ScriptUnreadable(path, error.strerror or "it cannot be read") from error
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ScriptUnreadable(path, f"byte {error.start} is not {encoding} text") from error
    if "\0" in text:
        raise ScriptUnreadable(path, "it holds a NUL")
    return text
