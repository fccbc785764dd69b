"""Log events as sentences; the structured events stay as they are for programs.

Every event of tiomagic has its sentence in :data:`SENTENCES`. Adapters log texts, which are shown
as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from tiomagic.display.phrases.job_warnings import say_note, say_unknown_words
from tiomagic.display.phrases.rewording import reword
from tiomagic.display.phrases.vocabulary import Vocabulary
from tiomagic_domain.features import Feature

LEVEL_WORDS: Final = ("debug", "warning", "error", "critical")
"""Levels that are named before a sentence; ``info`` is the plain case."""
NOT_FIELDS: Final = frozenset({"event", "level", "timestamp", "exc_info", "exception"})


def _not_understood(event: Mapping[str, Any], words: Vocabulary) -> str:
    feature = None
    with suppress(ValueError):
        feature = Feature(str(event.get("feature")))
    unknown = [str(word) for word in event["words"]]
    return say_unknown_words(str(event["model"]), feature, unknown, words)


def _input_noted(event: Mapping[str, Any], words: Vocabulary) -> str:
    return "; ".join(say_note(str(note), words) for note in event["notes"])


def _listed(texts: Iterable[object], words: Vocabulary) -> str:
    return "; ".join(reword(str(text), words) for text in texts)


def _completed(event: Mapping[str, Any], _words: Vocabulary) -> str:
    return f"job {event['job_id']} is done, {event['seconds']:.0f} s: {event['result_video']}"


Sentence = str | Callable[[Mapping[str, Any], Vocabulary], str]
"""A text with the fields of the event in braces, or what makes it."""

SENTENCES: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "history.imported": "took {jobs} jobs from {path} into the history",
        "history.not_imported": "no history was taken over: {error}",
        "job.canceled": "job {job_id} is canceled",
        "job.completed": _completed,
        "job.failed": "job {job_id} failed: {error}",
        "job.choice_changed": lambda event, words: _listed(event["changes"], words),
        "job.input_noted": _input_noted,
        "job.size_noted": _input_noted,
        "job.kept": "job {job_id} has other tags or another note, or is deleted",
        "job.not_understood": _not_understood,
        "job.passed_over": lambda event, words: _listed(event["providers"], words),
        "job.progressed": "job {job_id}: {phase}",
        "job.started": "job {job_id} has started",
        "job.stop_requested": "job {job_id} is being stopped",
        "job.submitted": "job {job_id}: {feature} with {model} on {provider}",
        "run.troubled": "{error}",
        "server.failed": "the server failed at {path}: {error}",
        "settings.unknown_variable": "{variable} is not a setting; did you mean {nearest}?",
        "ui.job_not_checked": "job {job_id} could not be checked: {error}",
        "ui.login": "a login to the page from {address}",
        "ui.login_failed": "a login to the page from {address} failed, {failures} in a row",
        "ui.login_slowed": "logins from {address} have to wait {seconds} s: too many have failed",
        "ui.record_not_shown": "job {job_id} cannot be shown: {error}",
        "ui.request_failed": "the page failed at {path}: {error}",
        "webhook.given_up": "webhook {webhook_id} of job {job_id} is given up after {attempts} "
        "attempts: {error}",
    }
)
"""The sentence of each event."""


class SentenceFormatter(logging.Formatter):
    """Formats log records as lines for people: the time, and the sentence.

    Args:
        words: Of the surface.
    """

    def __init__(self, words: Vocabulary) -> None:
        super().__init__(datefmt="%Y-%m-%d %H:%M:%S")
        self._words = words

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line of a record; the traceback of an error follows it."""
        return f"{self.formatTime(record, self.datefmt)} {say_record(record, self._words)}"


def say_record(record: logging.LogRecord, words: Vocabulary) -> str:
    """Return a record of any logger as one line: an event of tiomagic, or a text.

    Args:
        record: As logging makes it.
        words: Of the surface.
    """
    event: Any = record.msg if isinstance(record.msg, dict) else {"event": record.getMessage()}
    return say_event({"level": record.levelname.lower(), **event}, words)


def say_event(event: Mapping[str, Any], words: Vocabulary) -> str:
    """Return an event as one line for a person; the level stands before a warning or an error.

    Args:
        event: As structlog makes it, with ``event`` and ``level``; what is no event of tiomagic is
            shown with its fields.
        words: Of the surface.
    """
    name, level = str(event.get("event", "")), str(event.get("level", "info"))
    text = _sentence(name, event, words)
    return f"{level}: {text}" if level in LEVEL_WORDS else text


def _sentence(name: str, event: Mapping[str, Any], words: Vocabulary) -> str:
    sentence = SENTENCES.get(name)
    # An event of another version may lack a field: then its fields are shown as they are.
    with suppress(KeyError, TypeError, ValueError):
        if callable(sentence):
            return sentence(event, words)
        if sentence is not None:
            return reword(sentence.format_map(event), words)
    rest = ", ".join(f"{key} {value}" for key, value in event.items() if key not in NOT_FIELDS)
    return f"{name} ({rest})" if rest else name
