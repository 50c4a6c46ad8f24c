"""Puts one seeded bug into every process of a world: loaded by Python itself, because this folder is on PYTHONPATH.

The product knows nothing of it. $KILL_BUG names the bug; its patches run right after the module that they change.
"""

import importlib.abc
import importlib.machinery
import os
import sys


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the next finder find the module, and patches it when it has run."""

    def __init__(self, patches):
        self.patches = patches

    def find_spec(self, name, path=None, target=None):
        if name not in self.patches:
            return None
        patch = self.patches.pop(name)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            patch(module)

        spec.loader.exec_module = exec_module
        return spec


if os.environ.get("KILL_BUG"):
    import seeded

    sys.meta_path.insert(0, _Finder(dict(seeded.BUGS[os.environ["KILL_BUG"]].patches)))
