"""Every seeded bug still fits the product: what it changes is there under the name that it uses."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "kill" / "bugs"))

import seeded  # it lives where worlds with a bug find it


def a_copy_of(name: str) -> ModuleType:
    """A second copy of a module, so that the first stays sound."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    original = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        spec.loader.exec_module(module)
    finally:
        if original is None:
            del sys.modules[name]
        else:
            sys.modules[name] = original
    return module


@pytest.mark.parametrize("bug", seeded.BUGS.values(), ids=seeded.BUGS)
def test_the_bug_fits_the_product(bug: seeded.Bug) -> None:
    for name, patch in bug.patches.items():
        patch(a_copy_of(name))


def test_there_are_enough_of_them() -> None:
    assert len(seeded.BUGS) >= 25
