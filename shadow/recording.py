"""Recorded requests in a file: HAR, or one JSON object a line; what is no request is refused by its place.

A line is `{"method": "GET", "target": "/accounts/1?x=2", "headers": [["accept", "application/json"]],
"body_base64": "...", "answer": OBS}`; all but the target may be missing. OBS is the answer that was recorded, as
`strangler judge` reads it: `{"status": 200, "headers": [...], "body_base64": "..."}`. A HAR (1.2) is what browsers and
proxies save. Lines are read one by one; a HAR is read whole and bounded.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from config.errors import StranglerError
from shadow.judge_file import LINE_BYTES_MAX, Answer
from shadow.observation import Headers, Observation

HAR_BYTES_MAX = 256 << 20
TARGET_CHARACTERS_MAX = 8192


class Recorded(msgspec.Struct, frozen=True):
    """One request, and the answer that it got when it was recorded, if that is known."""

    place: str
    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    answer: Observation | None = None


@dataclass(eq=False)
class RecordingInvalid(StranglerError):
    """A file, or a place in it, that is not a recorded request."""

    place: str
    problem: str

    @property
    def sentence(self) -> str:
        """The place and what is wrong with it; nothing of its content."""
        return f"{self.place} is not a recorded request: {self.problem}."

    @property
    def hint(self) -> str:
        """What a request looks like."""
        return 'Give a HAR, or lines like {"method": "GET", "target": "/accounts/1", "headers": [["accept", "*/*"]]}.'


class _Line(msgspec.Struct, frozen=True):
    target: str
    method: str = "GET"
    headers: Headers = ()
    body_base64: str = ""
    answer: Answer | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str
    value: str


class _PostData(msgspec.Struct, frozen=True):
    text: str = ""
    encoding: str = ""


class _Request(msgspec.Struct, frozen=True):
    method: str
    url: str
    headers: tuple[_Named, ...] = ()
    postData: _PostData = _PostData()  # noqa: N815 - the name in the format


class _Content(msgspec.Struct, frozen=True):
    text: str | None = None
    encoding: str = ""


class _Response(msgspec.Struct, frozen=True):
    status: int = 0
    headers: tuple[_Named, ...] = ()
    content: _Content = _Content()


class _Entry(msgspec.Struct, frozen=True):
    request: _Request
    response: _Response = _Response()


class _Log(msgspec.Struct, frozen=True):
    entries: tuple[_Entry, ...]


class _Har(msgspec.Struct, frozen=True):
    log: _Log


_line = msgspec.json.Decoder(_Line)
_har = msgspec.json.Decoder(_Har)
_NOT_JSON = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def read_recording(path: Path) -> Iterator[Recorded]:
    """Every request of the file, in its order. Raises RecordingInvalid, OSError."""
    with path.open("rb") as file:
        first = file.readline(LINE_BYTES_MAX + 1)
        file.seek(0)
        if path.suffix.lower() == ".har" or (first.lstrip().startswith(b"{") and not _is_line(first)):
            yield from _of_har(path, file.read(HAR_BYTES_MAX + 1))
            return
        number = 0
        while text := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            if text.strip():
                yield _of_line(f"Line {number}", text)


def _is_line(text: bytes) -> bool:
    try:
        _line.decode(text)
    except msgspec.ValidationError:
        return b'"log"' not in text[:4096]  # JSON, and not what we expect: it is told as a line
    except _NOT_JSON:
        return text.strip() != b"{"
    return True


def _of_line(place: str, text: bytes) -> Recorded:
    if len(text) > LINE_BYTES_MAX:
        raise RecordingInvalid(place, f"it has more than {LINE_BYTES_MAX >> 20} MiB")
    try:
        line = _line.decode(text)
    except msgspec.ValidationError as error:
        raise RecordingInvalid(place, str(error)) from error
    except _NOT_JSON as error:
        raise RecordingInvalid(place, "it is not JSON") from error
    answer = None
    if line.answer is not None:
        recorded = _bytes(place, line.answer.body_base64)
        answer = Observation(line.answer.status, line.answer.headers, recorded, 0.0, "legacy")
    return _checked(Recorded(place, line.method, line.target, line.headers, _bytes(place, line.body_base64), answer))


def _of_har(path: Path, data: bytes) -> Iterator[Recorded]:
    if len(data) > HAR_BYTES_MAX:
        raise RecordingInvalid(path.name, f"it has more than {HAR_BYTES_MAX >> 20} MiB")
    try:
        har = _har.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except msgspec.ValidationError as error:
        raise RecordingInvalid(path.name, str(error)) from error
    except _NOT_JSON as error:
        raise RecordingInvalid(path.name, "it is not JSON") from error
    for number, entry in enumerate(har.log.entries, start=1):
        yield _of_entry(f"Entry {number}", entry)


def _of_entry(place: str, entry: _Entry) -> Recorded:
    asked, got = entry.request, entry.response
    try:
        url = urlsplit(asked.url)
    except ValueError as error:
        raise RecordingInvalid(place, "its url is none") from error
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    answer = None
    if got.status >= 100 and got.content.text is not None:
        # What a browser saves is what it has decoded already.
        headers = tuple(line for line in _lines(got.headers) if line[0].lower() != "content-encoding")
        answer = Observation(got.status, headers, _text(place, got.content.text, got.content.encoding), 0.0, "legacy")
    body = _text(place, asked.postData.text, asked.postData.encoding)
    return _checked(Recorded(place, asked.method, target, _lines(asked.headers), body, answer))


def _lines(named: tuple[_Named, ...]) -> Headers:
    """Header lines without HTTP/2's own, which begin with a colon."""
    return tuple((one.name, one.value) for one in named if not one.name.startswith(":"))


def _text(place: str, text: str, encoding: str) -> bytes:
    return _bytes(place, text) if encoding == "base64" else text.encode("utf-8", "surrogatepass")


def _bytes(place: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordingInvalid(place, "its body is not base64") from error


def _checked(found: Recorded) -> Recorded:
    if not found.target.startswith("/") or len(found.target) > TARGET_CHARACTERS_MAX or not found.target.isascii():
        raise RecordingInvalid(found.place, "its target is no path in ASCII that begins with /")
    return found
