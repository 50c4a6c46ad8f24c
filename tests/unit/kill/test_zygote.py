from __future__ import annotations

from tests.kill import zygote


def test_every_module_that_it_imports_is_there() -> None:
    zygote._import_everything()
