from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import StranglerError
from shadow import recording
from shadow.recording import Recorded, RecordingInvalid, read_recording


def recorded(folder: Path, content: str | bytes, name: str = "requests.jsonl") -> list[Recorded]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_recording(path))


def har(*entries: dict[str, Any]) -> str:
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "x"}, "entries": entries}}, indent=1)


def test_a_line_is_a_request_with_the_answer_that_was_recorded(tmp_path: Path) -> None:
    line = {
        "method": "POST", "target": "/a?b=c", "headers": [["Accept", "*/*"]],
        "body_base64": base64.b64encode(b"\xff{}").decode(), "answer": {"status": 201, "body_base64": "e30="},
    }  # fmt: skip
    first, second = recorded(tmp_path, json.dumps(line) + '\n\n{"target": "/x"}\n')
    assert (first.method, first.target, first.headers, first.body) == (
        "POST",
        "/a?b=c",
        (("Accept", "*/*"),),
        b"\xff{}",
    )
    assert first.answer is not None
    assert (first.answer.status, first.answer.body) == (201, b"{}")
    assert (second.place, second.method, second.target, second.answer) == ("Line 3", "GET", "/x", None)


def test_a_har_is_read_as_browsers_write_it(tmp_path: Path) -> None:
    request = {
        "method": "POST", "url": "https://bank.example/v1/transfers?dry=1", "httpVersion": "h2",
        "headers": [{"name": ":authority", "value": "bank.example"}, {"name": "Accept", "value": "*/*"}],
        "postData": {"mimeType": "application/json", "text": '{"a": "\u00e9"}'},
    }  # fmt: skip
    response = {
        "status": 200, "headers": [{"name": "Content-Encoding", "value": "br"}, {"name": "ETag", "value": "1"}],
        "content": {"size": 2, "text": "e30=", "encoding": "base64"},
    }  # fmt: skip
    for name in ("monday.har", "monday.json"):
        one, other = recorded(
            tmp_path,
            har({"request": request, "response": response}, {"request": {"method": "GET", "url": "http://b"}}),
            name,
        )
        assert (one.method, one.target, one.headers) == ("POST", "/v1/transfers?dry=1", (("Accept", "*/*"),))
        assert one.body == '{"a": "\u00e9"}'.encode()
        assert one.answer is not None
        assert (one.answer.headers, one.answer.body) == ((("ETag", "1"),), b"{}")
        assert (other.target, other.answer) == ("/", None)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("no JSON", "it is not JSON"),
        ("{", "it is not JSON"),
        ("[1]", "Expected `object`"),
        ('{"method": "GET"}', "missing required field `target`"),
        ('{"target": "accounts/1"}', "begins with /"),
        ('{"target": "/\u00e9"}', "ASCII"),
        ('{"target": "/", "body_base64": "?"}', "base64"),
        ('{"target": "/", "answer": {"status": 200, "body_base64": "?"}}', "base64"),
    ],
)
def test_what_is_no_request_is_refused_by_its_place(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(RecordingInvalid) as caught:
        recorded(tmp_path, f'{{"target": "/"}}\n{line}\n')
    assert "Line 2" in str(caught.value)
    assert problem in str(caught.value)


@pytest.mark.parametrize("text", ["{}", '{"log": {}}', '{"log": {"entries": [{"request": {}}]}}', '{"log"'])
def test_a_har_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecordingInvalid) as caught:
        recorded(tmp_path, text, "monday.har")
    assert "monday.har" in str(caught.value)


def test_files_are_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "LINE_BYTES_MAX", 30)
    monkeypatch.setattr(recording, "HAR_BYTES_MAX", 30)
    with pytest.raises(RecordingInvalid):
        recorded(tmp_path, '{"target": "/", "method": "GET"}\n')
    with pytest.raises(RecordingInvalid):
        recorded(tmp_path, har(), "monday.har")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["a.har", "a.jsonl"]))
def test_no_file_makes_it_raise_anything_else(tmp_path: Path, content: bytes, name: str) -> None:
    with suppress(StranglerError):
        recorded(tmp_path, content, name)
