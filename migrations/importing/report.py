"""The report of an import: every object with how sure it is, and an account in which no statement is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from migrations.importing.effort import by_type, minutes
from migrations.importing.model import Object


@dataclass(frozen=True)
class ImportReport:
    """What became of a schema; `read` = `translated` + `left_out`, always."""

    source: str
    objects: tuple[Object, ...]
    read: int
    translated: int
    revisions: tuple[Path, ...]

    @property
    def left_out(self) -> int:
        """The statements that have no part in the revision."""
        return self.read - self.translated

    @property
    def confidence(self) -> Counter[str]:
        """How many objects there are of each confidence."""
        return Counter(found.confidence for found in self.objects)

    @property
    def minutes(self) -> int:
        """The whole effort."""
        return sum(minutes(found) for found in self.objects)

    def as_json(self) -> dict[str, object]:
        """The form of `strangler migrate import --json`."""
        return {
            "objects": [_object(found) for found in self.objects],
            "statements": {"read": self.read, "translated": self.translated, "left_out": self.left_out},
            "revision": str(self.revisions[0]) if self.revisions else None,
            "revisions": [str(path) for path in self.revisions],
            "effort_minutes": {kind: spent for kind, (_, spent) in by_type(self.objects).items()},
        }


def _object(found: Object) -> dict[str, object]:
    return {
        "name": found.name,
        "type": found.type,
        "confidence": found.confidence,
        "sql": found.sql,
        "findings": [asdict(finding) for finding in found.findings],
        "effort_minutes": minutes(found),
    }


def most_work(objects: Sequence[Object], count: int) -> list[Object]:
    """The objects that need most work by hand."""
    return sorted((found for found in objects if minutes(found)), key=lambda found: -minutes(found))[:count]
