"""The structure that STYLE asks for, checked, so that the map cannot rot."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("config", "gateway", "shadow", "cdc", "migrations", "legacy_adapter", "services", "runbook")
MODULES = [
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if path.name != "__init__.py" and "versions" not in path.parts
]
# Modules whose claims are made by scenarios alone so far; the list may only become shorter.
ONLY_IN_SCENARIOS = set((ROOT / "tests/unit/only_in_scenarios.txt").read_text().split())
LINES_MAX, FUNCTION_LINES_MAX = 350, 50
BANNED_NAMES = {"utils", "common", "helpers", "manager", "base", "core"}


def first_sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_a_mirror_among_the_tests(module: Path) -> None:
    has_mirror = (ROOT / "tests/unit" / module.with_name(f"test_{module.name}")).exists()
    assert has_mirror != (str(module) in ONLY_IN_SCENARIOS), (
        "a mirror is missing, or its line in the list is out of date"
    )


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_the_map_says_of_each_module_what_the_module_says_of_itself(module: Path) -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE))
    assert rows.get(str(module)) == first_sentence(module)


def test_the_map_names_no_module_that_is_gone() -> None:
    rows = re.findall(r"^\| `([^`]+\.py)` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert [row for row in rows if not (ROOT / row).exists()] == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_and_no_function_outgrows_the_house(module: Path) -> None:
    text = (ROOT / module).read_text()
    assert text.count("\n") <= LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno + 1 <= FUNCTION_LINES_MAX, node.name


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_has_a_name_that_says_nothing(module: Path) -> None:
    assert module.stem not in BANNED_NAMES
