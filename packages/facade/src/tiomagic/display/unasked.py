"""Warnings for people who have not configured logging, as ``logging.lastResort`` has them.

A program that configures logging gets the events and decides. For others a warning would be lost:
where a person watches, a terminal or a notebook, it is a sentence on stderr. Nothing goes to a pipe
or a file, and nothing to stdout.
"""

from __future__ import annotations

import logging
import sys

from tiomagic.display.notebook import is_notebook
from tiomagic.display.streams import is_terminal, write
from tiomagic_domain.text import escape_control_characters


class UnaskedWarnings(logging.Handler):
    """Shows warnings where nobody else takes them and a person watches."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a warning as a sentence. Never raises: a line that is lost stops no run."""
        try:
            if self._is_alone() and _is_watched() and not _is_raised(record):
                write(sys.stderr, f"{escape_control_characters(self._say(record))}\n")
        except Exception:  # noqa: BLE001 - as logging's own handlers
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say nothing: where the warning would be shown, the error would be too."""

    def _is_alone(self) -> bool:
        """Return whether the application has no handler of its own for these records."""
        ours = logging.getLogger("tiomagic")
        others = [handler for handler in ours.handlers if handler is not self]
        return not others and not (ours.propagate and logging.getLogger().handlers)

    @staticmethod
    def _say(record: logging.LogRecord) -> str:
        from tiomagic.display.phrases.log_events import say_record  # noqa: PLC0415  # Seldom.
        from tiomagic.display.phrases.vocabulary import PYTHON_WORDS  # noqa: PLC0415  # The same.

        return say_record(record, PYTHON_WORDS)


def _is_watched() -> bool:
    return is_notebook() or is_terminal(sys.stderr)


def _is_raised(record: logging.LogRecord) -> bool:
    """Return whether the caller gets an exception that says the same."""
    return isinstance(record.msg, dict) and record.msg.get("event") == "job.failed"
