from __future__ import annotations

from tests.kill.special import result_of


def test_lines_of_progress_come_before_the_result() -> None:
    assert result_of('{"table": "a", "rows": 1}\n{"table": "b"}\n{\n "results": [{"tables": []}]\n}\n') == {
        "results": [{"tables": []}]
    }
    assert result_of('a word\n{"results": []}') == {"results": []}
    assert result_of("nothing") == {}
