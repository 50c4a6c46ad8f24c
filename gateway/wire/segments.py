"""Pure: the segments of a path as routing sees them, one for all spellings that mean the same."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes


def segments_of(target: bytes) -> list[bytes] | None:
    """The segments that routing sees; None for a target that must be refused (it holds an encoded NUL).

    What is forwarded keeps its octets. Routing sees a normalised copy, so that no spelling of a path (`%2e%2e`, `//`,
    `;x`, an encoded slash or backslash) reaches a route other than the one the path means (T11).
    """
    path = target.partition(b"?")[0]
    if b"%" in path or b"//" in path or b"/." in path or b";" in path or b"\\" in path:
        return _normalised(path)
    return path[1:].split(b"/")


def _normalised(path: bytes) -> list[bytes] | None:
    decoded = b"/".join(unquote_to_bytes(part.partition(b";")[0]) for part in path.split(b"/")).replace(b"\\", b"/")
    if b"\0" in decoded:
        return None
    parts = decoded[1:].split(b"/")
    kept: list[bytes] = []
    for part in parts:
        bare = part.partition(b";")[0]
        if bare == b"..":
            kept[-1:] = []
        elif bare not in (b"", b"."):
            kept.append(bare)
    if parts[-1].partition(b";")[0] in (b"", b".", b".."):
        kept.append(b"")
    return kept
