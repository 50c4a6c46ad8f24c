from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import RoutesChanged, RoutesInvalid
from config.reader import read_routes
from config.rule_writer import RuleNotPlaced, prepare_ignore
from config.writer import write

HEAD = """\
version: 1   # one
upstreams: {m: {url: "http://127.0.0.1:1"}, l: {url: "http://127.0.0.1:2"}}
capabilities: {a: {legacy: m, modern: l, stage: shadow}}
routes:
  # before
"""
LINE = "- {path: $.at, reason: 'noise, it''s a clock', until: 2027-01-31}"
RULE = LINE.removeprefix("- ")


def added(folder: Path, route: str, line: str = LINE) -> str:
    path = folder / "routes.yaml"
    path.write_text(HEAD + route, newline="")
    change = prepare_ignore(path, 0, line, read_routes(path).digest)
    write(change)
    assert read_routes(path).routes[0].compare.ignore[-1].path == "$.at"
    assert path.read_text().startswith(HEAD)
    return path.read_text().removeprefix(HEAD)


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ('  - {match: "GET /x", capability: a}\n', f'  - {{match: "GET /x", capability: a, compare: {{ignore: [{RULE}]}}}}\n'),
        ('  - {match: "GET /x", capability: a, compare: {} }  # c\n', f'  - {{match: "GET /x", capability: a, compare: {{ignore: [{RULE}]}} }}  # c\n'),
        ('  - match: "GET /x"\n    capability: a  # theirs\n  # after', f'  - match: "GET /x"\n    capability: a  # theirs\n    compare: {{ignore: [{RULE}]}}\n  # after'),
        ('  - match: "GET /x"\n    compare:\n      protect: [$.b]\n    capability: a\n', f'  - match: "GET /x"\n    compare:\n      protect: [$.b]\n      ignore: [{RULE}]\n    capability: a\n'),
        ('  - match: "GET /x"\n    compare: {ignore: [$.ä, $.b]}\n    capability: a', f'  - match: "GET /x"\n    compare: {{ignore: [$.ä, $.b, {RULE}]}}\n    capability: a'),
        ('  - match: "GET /x"\n    capability: a\n    compare:\n      ignore:\n      - $.b  # why\n      - path: $.c\n        reason: yes yes\n', f'  - match: "GET /x"\n    capability: a\n    compare:\n      ignore:\n      - $.b  # why\n      - path: $.c\n        reason: yes yes\n      {LINE}\n'),
    ],
)  # fmt: skip
def test_a_line_is_added_in_the_style_of_its_place_and_no_other_byte_changes(
    tmp_path: Path, route: str, expected: str
) -> None:
    assert added(tmp_path, route) == expected


SPACES = st.sampled_from(["", " ", "  # said"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.sampled_from(["$.a", "'$.b[*].c'", "'$[''odd'']'"]), max_size=3), st.booleans(), SPACES, SPACES)
def test_however_the_list_is_written_it_has_one_line_more(
    tmp_path: Path, paths: list[str], is_flow: bool, first: str, last: str
) -> None:
    if is_flow or not paths:
        ignored = f" [{', '.join(paths)}]{last}\n"
    else:
        ignored = f"{first}\n" + "".join(f"        - {path}{last}\n" for path in paths)
    text = added(tmp_path, f'  - match: "GET /x"{first}\n    compare:\n      ignore:{ignored}    capability: a{last}\n')
    kept = [line for line in text.splitlines() if "$.at" not in line]
    assert len(kept) == len(text.splitlines()) - 1


@pytest.mark.parametrize(
    "route",
    [
        '  - match: "GET /x"\n    capability: a\n    compare: &same {ignore: [$.b]}\n  - {match: "GET /y", capability: a, compare: *same}\n',
        '  - match: "GET /x"\n    capability: a\n    compare: {ignore: [$.b,]}\n',
    ],
)  # fmt: skip
def test_what_would_change_more_than_that_is_left_to_a_person(tmp_path: Path, route: str) -> None:
    with pytest.raises(RuleNotPlaced, match="GET /x"):
        added(tmp_path, route)
    assert (tmp_path / "routes.yaml").read_text() == HEAD + route


def test_a_rule_that_is_not_valid_and_a_file_that_changed_are_refused(tmp_path: Path) -> None:
    route = '  - {match: "GET /x", capability: a}\n'
    with pytest.raises(RoutesInvalid):
        added(tmp_path, route, "- {path: status, reason: any}")
    with pytest.raises(RoutesChanged):
        prepare_ignore(tmp_path / "routes.yaml", 0, LINE, "another digest")
    assert (tmp_path / "routes.yaml").read_text() == HEAD + route
