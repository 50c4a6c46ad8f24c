"""Fixtures that every test may ask for."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = ["tests.support.conformance", "tests.support.postgres"]


@pytest.fixture(autouse=True)
def _logs_of_one_test_only() -> Iterator[None]:
    """A command that a test ran has sent its logs to a stream that is gone afterwards."""
    yield
    structlog.reset_defaults()
