"""What our own messages in a log say: markers, heartbeats, tags of transactions."""

from __future__ import annotations

import json
from datetime import datetime

MARKER_PREFIX, HEARTBEAT_PREFIX, ORIGIN_PREFIX = "strangler", "strangler.heartbeat", "strangler.origin"


def facts(content: bytes) -> dict[str, str | None]:
    """The facts in one of our messages; nothing where somebody else uses our prefix."""
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    if not isinstance(said, dict):
        return {}
    return {str(name): None if value is None else str(value) for name, value in said.items()}


def is_time(text: str | None) -> bool:
    """Whether it is a time with its zone, as a heartbeat has it."""
    try:
        return text is not None and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
