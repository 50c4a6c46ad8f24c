"""A revision holds its statements as they are, whatever characters they have, and a chain where there are many."""

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from migrations.importing import revision as revisions
from migrations.importing.emit import Step
from migrations.importing.model import Object
from migrations.importing.revision import write_revisions


def statements_of(path: Path) -> tuple[str, ...]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "STATEMENTS":
            return tuple(ast.literal_eval(node.value))
    raise AssertionError(path)


def steps(*texts: str) -> list[Step]:
    return [Step(Object("x", "table"), text) for text in texts]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1))
def test_a_statement_is_kept_character_by_character(tmp_path_factory: object, text: str) -> None:
    folder = Path(tmp_path_factory.mktemp("r"))  # type: ignore[attr-defined]
    (path,) = write_revisions(folder, "core", steps(text, 'ends with "quotes"'))
    assert statements_of(path) == (text, 'ends with "quotes"')


def test_many_statements_become_a_chain_and_replace_an_older_one(tmp_path: Path) -> None:
    size = revisions.STEPS_PER_REVISION
    assert len(write_revisions(tmp_path, "My Core!", steps(*["SELECT 1"] * (2 * size + 1)))) == 3
    paths = write_revisions(tmp_path, "My Core!", steps(*["SELECT 1"] * (size + 1)))
    assert [path.name for path in paths] == ["my_core_0001.py", "my_core_0002.py"]
    assert sorted(path.name for path in tmp_path.glob("*.py")) == [path.name for path in paths]
    assert "down_revision = 'my_core_0001'" in paths[1].read_text()
    assert "branch_labels = ('expand',)" in paths[0].read_text()
