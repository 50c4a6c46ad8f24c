"""What each revision said when it ran: a hash of its SQL beside its number, so that a later edit is found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from alembic.script import Script
from sqlalchemy import Connection, text

from migrations.environment import render
from migrations.errors import RevisionEdited

_TABLE = """
CREATE SCHEMA IF NOT EXISTS strangler;
CREATE TABLE IF NOT EXISTS strangler.revision (
    revision text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""
_VERSIONS = "SELECT to_regclass('public.alembic_version')"


def hash_of(service: str, script: Script) -> str:
    """The hash of what the revision does; of its file, where it cannot be rendered without a database."""
    try:
        said = render(service, script)
    except Exception:  # noqa: BLE001 - whatever a revision raises when it finds no database
        said = Path(script.path).read_text("utf-8")
    return hashlib.sha256(said.encode()).hexdigest()


def refuse_edited(connection: psycopg.Connection[Any], scripts: Sequence[Script], hashes: Mapping[str, str]) -> None:
    """Compare what has run with what the files say. Raises RevisionEdited.

    Revisions that ran before there were hashes are taken as they are now.
    """
    if connection.execute(_VERSIONS).fetchone() == (None,):
        return
    connection.execute(_TABLE.encode())
    known = dict(connection.execute("SELECT revision, sha256 FROM strangler.revision").fetchall())
    edited = tuple(name for name, value in hashes.items() if known.get(name, value) != value)
    if edited:
        raise RevisionEdited(edited)
    for name in _has_run(connection, scripts):
        if name not in known:
            connection.execute(
                "INSERT INTO strangler.revision (revision, sha256) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (name, hashes[name]),
            )


def _has_run(connection: psycopg.Connection[Any], scripts: Sequence[Script]) -> list[str]:
    """The revisions of the branch up to the newest that has run."""
    heads = {row[0] for row in connection.execute("SELECT version_num FROM public.alembic_version").fetchall()}
    names = [script.revision for script in scripts]
    newest = max((at for at, name in enumerate(names) if name in heads), default=-1)
    return names[: newest + 1]


def remember(connection: Connection, revision: str, value: str) -> None:
    """Write a revision's hash in the transaction that applied it."""
    for statement in _TABLE.split(";\n"):
        connection.execute(text(statement))
    connection.execute(
        text(
            "INSERT INTO strangler.revision (revision, sha256) VALUES (:r, :h) ON CONFLICT (revision) DO UPDATE "
            "SET sha256 = excluded.sha256, applied_at = now()"
        ),
        {"r": revision, "h": value},
    )
