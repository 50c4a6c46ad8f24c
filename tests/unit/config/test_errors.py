from pathlib import Path

import pytest

from config import errors


@pytest.mark.parametrize(
    "error",
    [
        errors.RoutesInvalid(Path("r.yaml"), (errors.Problem("a.b", "is wrong", "c: d"),)),
        errors.RoutesChanged(Path("r.yaml")),
        errors.UnknownCapability("x", ("accounts",)),
        errors.PortInUse("127.0.0.1:80"),
        errors.DatabaseDown("legacy", "refused"),
        errors.UpstreamDown("ledger", "http://127.0.0.1:1", "refused"),
        errors.NotConfigured("capabilities.accounts.sync", "strangler sync"),
    ],
)
def test_every_error_is_a_sentence_that_names_the_thing(error: errors.StranglerError) -> None:
    facts = [str(value) for value in vars(error).values() if isinstance(value, str | Path)]
    assert all(fact in str(error) for fact in facts)
    assert error.exit_code in {1, 2}
