"""Writes the statements of an import as Alembic revisions of the branch expand, which import nothing of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from migrations.importing.emit import Step

STEPS_PER_REVISION = 500
"""A revision is one transaction, and PostgreSQL's table of locks holds some thousand of them by default."""

_HEAD = '''"""{title}"""

from __future__ import annotations

import sqlalchemy as sa
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
        op.execute(sa.text(statement.replace(":", "\\\\:")))


def downgrade() -> None:
    raise NotImplementedError("an imported schema is not taken back: drop the database that it was imported into")
'''


def write_revisions(folder: Path, source: str, steps: Sequence[Step]) -> tuple[Path, ...]:
    """One revision, or a chain of them where there are many statements; what stood in the files before is replaced."""
    name = re.sub(r"[^a-z0-9]+", "_", source.lower()).strip("_") or "import"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{name}_[0-9][0-9][0-9][0-9].py"):
        old.unlink()
    groups = [steps[at : at + STEPS_PER_REVISION] for at in range(0, len(steps), STEPS_PER_REVISION)]
    paths, down = [], None
    for number, group in enumerate(groups, start=1):
        revision = f"{name}_{number:04}"
        part = f" ({number} of {len(groups)})" if len(groups) > 1 else ""
        text = _HEAD.format(
            title=f"The schema of {source}, as it was imported{part}.",
            revision=revision,
            down=down,
            labels=("expand",) if down is None else None,
            statements="\n".join(f"    {_text(step.sql)}," for step in group),
        )
        path = folder / f"{revision}.py"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
        down = revision
    return tuple(paths)


def _text(statement: str) -> str:
    """A Python literal that can be read: in triple quotes, where that says the same."""
    triple = f'"""{statement}"""'
    is_plain = statement.replace("\n", "").isprintable()
    if not is_plain or "\\" in statement or '"""' in triple[3:-3] or statement.endswith('"'):
        return repr(statement)
    return triple
