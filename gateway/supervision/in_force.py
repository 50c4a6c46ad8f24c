"""The table in force as the supervisor sees it: the file, its last good content, and why a newer one was refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from config.errors import RoutesInvalid
from config.model import Routes
from config.reader import FILE_BYTES_MAX, digest_of, parse_routes, read_routes

Outcome = Literal["unchanged", "accepted", "refused"]


class TableInForce:
    """One routes.yaml. `refused` is empty, or the problems of the newest content, which is then not in force."""

    def __init__(self, path: Path, environ: Mapping[str, str] = os.environ) -> None:
        """Read the file. Raises RoutesInvalid: a gateway does not begin with a table that is not valid."""
        self.path = path.absolute()
        self._environ = environ
        self._seen = self._read()
        self.refused: tuple[str, ...] = ()
        self._foreseen: Routes | None = None
        self.routes: Routes = self._parse(self._seen)
        self.raw = self._seen or b""

    @property
    def digest(self) -> str:
        """The digest of the table in force."""
        return self.routes.digest

    def refresh(self) -> Outcome:
        """Look at the file again. A content that is not valid is refused, and the table in force stays."""
        raw = self._read()
        if raw == self._seen:
            return "unchanged"
        self._seen = raw
        try:
            routes = self._parse(raw)
        except RoutesInvalid as error:
            self.refused = tuple(str(problem) for problem in error.problems)
            return "refused"
        self.routes, self.raw, self.refused = routes, raw or b"", ()
        return "accepted"

    def foresee(self, raw: bytes) -> Routes:
        """Read a content that the file will get in a moment, so that it is in force at once then. Raises RoutesInvalid.

        Nothing changes by it: a content comes into force only when it is the file's.
        """
        self._foreseen = parse_routes(raw, self.path, self._environ)
        return self._foreseen

    def _read(self) -> bytes | None:
        try:
            with self.path.open("rb") as file:
                return file.read(FILE_BYTES_MAX + 1)
        except OSError:
            return None

    def _parse(self, raw: bytes | None) -> Routes:
        if self._foreseen is not None and raw is not None and digest_of(raw) == self._foreseen.digest:
            return self._foreseen
        # Without bytes, or with too many, the reader composes the problem.
        if raw is None or len(raw) > FILE_BYTES_MAX:
            return read_routes(self.path, self._environ)
        return parse_routes(raw, self.path, self._environ)
