"""Logging of the command line; an application that uses the library does this for itself."""

from __future__ import annotations

import logging
import sys

import structlog

HANDLER = "tiomagic.cli"
"""Name of the command line's own handler, among those that others may add."""


def configure_logging(level: str) -> None:
    """Show events on stderr: for people on a terminal, as JSON lines elsewhere.

    Configuring again replaces what was configured before.

    Args:
        level: The least level, such as ``warning``.
    """
    animated = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if animated else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[structlog.stdlib.add_log_level],
        )
    )
    handler.addFilter(_is_not_told_otherwise)
    handler.set_name(HANDLER)
    logger = logging.getLogger("tiomagic")
    for earlier in [known for known in logger.handlers if known.get_name() == HANDLER]:
        logger.removeHandler(earlier)
    logger.setLevel(level.upper())
    logger.addHandler(handler)
    logger.propagate = False


def _is_not_told_otherwise(record: logging.LogRecord) -> bool:
    """Return False for the end of a job that failed: the command ends with that message."""
    return not (isinstance(record.msg, dict) and record.msg.get("event") == "job.failed")
