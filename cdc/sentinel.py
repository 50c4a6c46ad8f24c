"""The sentinel table: a row of it that made the round trip proves both streams; it is in no mapping of a capability.

`strangler.sentinel` exists in both databases and in both publications. The runbook puts (id, 'forward') into legacy;
when the forward stream has brought it to modern it puts (id, 'reverse') there, and waits for that row in legacy.
Streams carry new rows of it in mode skip, too.
"""

from __future__ import annotations

from pathlib import Path

from cdc.mapping import Mapping, SourceColumn, TargetColumn

SENTINEL_TABLE = "strangler.sentinel"
_COLUMNS = (("id", "text"), ("direction", "text"), ("at", "timestamp with time zone"))

SENTINEL = Mapping(
    file=Path(__file__),
    source_table=SENTINEL_TABLE,
    target_table=SENTINEL_TABLE,
    key=("id", "direction"),
    source_key=("id", "direction"),
    reads=tuple(SourceColumn(name, type_) for name, type_ in _COLUMNS),
    columns=tuple(
        TargetColumn(name, type_, "lossless", (name,), f'"{name}"', None, expression=f'"{name}"')
        for name, type_ in _COLUMNS
    ),
)
