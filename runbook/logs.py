"""Logs: events with fields on stderr, coloured for people, one line of key=value for everybody else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Let whoever imports meanwhile find that this package is not installed."""
    before = {name: module for name, module in sys.modules.items() if name == package}
    sys.modules[package] = None  # type: ignore[assignment]  # how Python says that a module must not be found
    try:
        yield
    finally:
        del sys.modules[package]
        sys.modules.update(before)


# structlog loads Rich, with it a highlighter of source text, for tracebacks on a terminal, which we show plain: half of
# what it takes to import, a tenth of the start of a stream.
with _without("rich"):
    import structlog


def configure() -> None:
    """Send every log of this process to stderr; stdout belongs to data."""
    is_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if is_terminal
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
