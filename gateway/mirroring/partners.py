"""The ids that belong together, as a worker knows them: told by the comparer, asked when a copy is sent."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import structlog

from shadow.correspondence import Correspondence, Id, Told
from shadow.observation import Side

_decoder = msgspec.msgpack.Decoder(Told)
_log = structlog.get_logger()


class Partners:
    """By capability; empty until a rule asks for ids and the comparer has told some."""

    def __init__(self) -> None:
        self._ids: dict[str, Correspondence] = {}

    def take(self, piece: bytes) -> None:
        """The comparer has told something."""
        try:
            said = _decoder.decode(piece)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.error("mirror.ids_unreadable", reason=type(error).__name__)
            return
        if said.is_anew or said.capability not in self._ids:
            self._ids[said.capability] = Correspondence(said.seconds)
        self._ids[said.capability].put(said.ids)

    def partner(self, capability: str, side: Side, name: str, spelt: str) -> Id | None:
        """The other side's id for an id of that side; None where it is not known, or not any more."""
        ids = self._ids.get(capability)
        if ids is None:
            return None
        ids.expire(datetime.now(UTC).timestamp())
        return ids.partner(side, name, spelt)
