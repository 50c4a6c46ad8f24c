"""Fixtures that every test may ask for."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# A deadline would measure how busy the machine is, not the code.
settings.register_profile("strangler", deadline=None)
settings.load_profile("strangler")

pytest_plugins = ["tests.support.conformance", "tests.support.postgres"]


@pytest.fixture(autouse=True)
def _logs_of_one_test_only() -> Iterator[None]:
    """A command that a test ran has sent its logs to a stream that is gone afterwards."""
    yield
    structlog.reset_defaults()
