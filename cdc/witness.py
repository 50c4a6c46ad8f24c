"""Says who writes where nobody should: a trigger puts the writer's name into the log, and a stream makes it an alarm.

The log does not carry who wrote a row. So while a fence is raised, a trigger before every statement on its tables emits
a message with application_name and role in the same transaction; it always fires, also for a superuser who writes as a
replica and so gets past the fence. Our own sessions say who they are and are left out. Whoever disables triggers is not
named, and the alarm says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as ReadOnly

from psycopg import pq
from psycopg.adapt import Transformer

from cdc.streaming.copy_rows import Layout, key_values

WITNESS, WRITER_PREFIX = "strangler_witness", "strangler.writer"
VALUE_CHARACTERS_MAX = 100  # of a key's column in an alarm
FUNCTION = """
CREATE OR REPLACE FUNCTION strangler.witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('strangler.applier', true) IS DISTINCT FROM 'yes' THEN
        PERFORM pg_logical_emit_message(true, 'strangler.writer', json_build_object(
            'application', current_setting('application_name'), 'role', session_user)::text);
    END IF;
    RETURN NULL;
END $$
"""


def alarm(layout: Layout, change: bytes | None, writer: ReadOnly[str, str | None]) -> str:
    """Table, key and writer of one change; without a change, of a TRUNCATE."""
    row = "all rows (TRUNCATE)" if change is None else shown_key(layout, change)
    return f"{layout.mapping.source_table} {row} by {shown_writer(writer)}"


def shown_writer(writer: ReadOnly[str, str | None]) -> str:
    """The name that the connection gave itself, and its role."""
    if not writer.get("role"):
        return "a writer that fired no trigger"
    return f"{writer.get('application') or 'a connection without application_name'} (role {writer['role']})"


def shown_key(layout: Layout, change: bytes) -> str:
    """The source row's key as JSON, whatever its types."""
    names = {column.name: column for column in layout.relation.columns}
    loaders, form = Transformer(), pq.Format.TEXT if layout.is_text else pq.Format.BINARY
    shown = {}
    for name, value in zip(layout.keys, key_values(layout, change), strict=True):
        loaded = loaders.get_loader(names[name].type_oid, form).load(value)
        shown[name] = loaded if isinstance(loaded, int) else str(loaded)[:VALUE_CHARACTERS_MAX]
    return json.dumps(shown)
