"""Logging of the command line; an application that uses the library does this for itself.

On a terminal people read sentences; elsewhere programs read JSON lines.
"""

from __future__ import annotations

import logging
import sys
import warnings

import structlog

from tiomagic.cli._output import command_words
from tiomagic.display.journal import sanitize_event
from tiomagic.display.phrases.log_events import say_event
from tiomagic.display.streams import is_terminal, wrap_for_rich, write

HANDLER_NAME = "tiomagic.cli"
"""Name of the command line's own handler, among those that others may add."""


class _Handler(logging.Handler):
    """Writes to whatever stderr is when an event comes; the texts are made safe before."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write an event. Never raises: a line that is lost stops no run."""
        try:
            line = f"{self.format(record)}\n"
            if is_terminal(sys.stderr):
                wrap_for_rich(sys.stderr).write(line)
            else:
                write(sys.stderr, line)
        except Exception:  # noqa: BLE001 - as logging's own handlers
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say nothing: where the event would be shown, the error would be too."""


def configure_logging(level: str) -> None:
    """Show events on stderr: for people on a terminal, as JSON lines elsewhere.

    Configuring again replaces what was configured before.

    Args:
        level: The least level, such as ``warning``.
    """
    renderer: structlog.typing.Processor = (
        _render_sentence if is_terminal(sys.stderr) else structlog.processors.JSONRenderer()
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                sanitize_event,
                renderer,
            ],
            foreign_pre_chain=[structlog.stdlib.add_log_level],
        )
    )
    handler.addFilter(_is_not_job_failure)
    handler.set_name(HANDLER_NAME)
    logger = logging.getLogger("tiomagic")
    for earlier in [known for known in logger.handlers if known.get_name() == HANDLER_NAME]:
        logger.removeHandler(earlier)
    logger.setLevel(level.upper())
    logger.addHandler(handler)
    logger.propagate = False
    # Python would print the path of the source with it.
    warnings.showwarning = _PythonWarnings()


class _PythonWarnings:
    """Shows the warnings of Python like all others, each text once; ``warnings.showwarning``."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def __call__(self, message: Warning | str, *_place: object, **_more: object) -> None:
        """Show one."""
        text = str(message)
        if text not in self._shown:
            self._shown.add(text)
            logging.getLogger("tiomagic").warning("%s", text)


def _render_sentence(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    """Return an event for a person, in the words of the command that runs."""
    return say_event(event, command_words())


def _is_not_job_failure(record: logging.LogRecord) -> bool:
    """Return False for the end of a job that failed: the command ends with that message."""
    return not (isinstance(record.msg, dict) and record.msg.get("event") == "job.failed")
