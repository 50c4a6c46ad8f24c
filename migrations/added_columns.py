"""A pair of revisions that add columns in expand and take them away in contract, chained to a service's other ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migrations.environment import configuration, revisions

_EXPAND = '''"""{title}"""

from __future__ import annotations

from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = None

STATEMENTS = (
{statements}
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the contract revision {contract} takes the columns away")
'''
_CONTRACT = '''"""{title}"""

from __future__ import annotations

from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {expand!r}

STATEMENTS = (
{statements}
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what the columns held is gone")
'''


@dataclass(frozen=True)
class AddedColumn:
    """A column that may be NULL, with the comment that is stored with it; names as SQL, quoted where they need it."""

    table: str
    name: str
    type: str
    comment: str


def write_added_columns(service: str, columns: Sequence[AddedColumn], why: str) -> tuple[Path, Path]:
    """Write both revisions behind the service's newest ones. Raises UnknownService."""
    config = configuration(service)
    folder = Path(config.get_main_option("version_locations") or "")
    expand = next((one.revision for one in reversed(revisions(config, "expand"))), None)
    contract = next((one.revision for one in reversed(revisions(config, "contract"))), None)
    count = len({*revisions(config, "expand"), *revisions(config, "contract")})
    prefix = re.sub(r"_?\d+$", "", expand or contract or folder.name)
    first, second = f"{prefix}_{count + 1:04}", f"{prefix}_{count + 2:04}"
    adding = _EXPAND.format(
        title=f"Columns added: {why}.",
        revision=first,
        down=expand,
        labels=("expand",) if expand is None else None,
        statements="\n".join(f"    {_text(statement)}," for one in columns for statement in _added(one)),
        contract=second,
    )
    taking = _CONTRACT.format(
        title=f"Columns taken away again: {why}.",
        revision=second,
        down=contract,
        labels=("contract",) if contract is None else None,
        expand=first,
        statements="\n".join(
            f"    {_text(f'ALTER TABLE {one.table} DROP COLUMN IF EXISTS {one.name}')}," for one in columns
        ),
    )
    slug = re.sub(r"[^a-z0-9]+", "_", why.lower()).strip("_")[:40]
    paths = folder / f"{count + 1:04}_{slug}.py", folder / f"{count + 2:04}_without_{slug}.py"
    for path, text in zip(paths, (adding, taking), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def _added(column: AddedColumn) -> tuple[str, str]:
    comment = column.comment.replace("'", "''")
    return (
        f"ALTER TABLE {column.table} ADD COLUMN IF NOT EXISTS {column.name} {column.type}",
        f"COMMENT ON COLUMN {column.table}.{column.name} IS '{comment}'",
    )


def _text(statement: str) -> str:
    return repr(statement) if '"' in statement or "\\" in statement else f'"{statement}"'
