"""Log events of jobs (structlog over ``logging``), and the refresh of ``generation_log.json``.

Events go to the standard library's logger ``tiomagic`` (adapters use ``tiomagic.local`` and so on).
Until the application configures logging, ``unasked`` shows warnings to who watches, and nothing is
shown elsewhere. structlog
makes the events, with its own global configuration untouched, and hands each over as a dict, so
that an application may render them with ``structlog.stdlib.ProcessorFormatter`` or read
``record.msg["event"]``.

====================== ======== ============================================================
event                  level    with
====================== ======== ============================================================
``job.submitted``      info     ``job_id feature model provider``
``job.not_understood`` warning  ``job_id feature model words``: the model does not know these words
``job.input_noted``    warning  ``job_id notes``: how a given picture or video is read
``job.size_noted``     warning  ``job_id model notes``: length or size is not quite as asked for
``job.choice_changed`` warning  ``job_id model changes``: a rerun's model does not take these
``job.started``        info     ``job_id call_id``
``job.progressed``     debug    ``job_id phase``
``job.kept``           debug    ``job_id``: its tags or note have changed, or it is deleted
``job.stop_requested`` info     ``job_id``
``job.completed``      info     all of the above, ``seconds``, ``result_video``
``job.canceled``       info     the same, without a video
``job.failed``         error    the same, ``error``, ``error_code``
``run.troubled``       warning  ``error code``: something went wrong and the run goes on
====================== ======== ============================================================
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from tiomagic.display.unasked import UnaskedWarnings
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.redaction import redact_data
from tiomagic_domain.requests.carrying import describe_changes
from tiomagic_domain.requests.preparation import SIZE_NOTES_FACT
from tiomagic_domain.spending.fallback import describe_passed_over
from tiomagic_domain.text import escape_control_characters

if TYPE_CHECKING:
    from tiomagic_storage import GenerationLog
    from tiomagic_storage.files.late_refresh import LateRefresh

EVENT_BY_STATUS: Final = {
    JobStatus.QUEUED: "job.submitted",
    JobStatus.RUNNING: "job.started",
    JobStatus.CANCELING: "job.stop_requested",
    JobStatus.COMPLETED: "job.completed",
    JobStatus.FAILED: "job.failed",
    JobStatus.CANCELED: "job.canceled",
}

LOG_OF_MANY_S: Final = 1.0
"""Seconds after which the log has a change of a batch."""

_STDLIB = logging.getLogger("tiomagic")
# Without a handler the standard library prints warnings on stderr, wherever that goes.
_STDLIB.addHandler(UnaskedWarnings())


def get_logger() -> structlog.stdlib.BoundLogger:
    """Return the logger of this package."""
    logger = structlog.wrap_logger(
        _STDLIB,
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            _redact_event,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
    )
    return cast("structlog.stdlib.BoundLogger", logger)


def _redact_event(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Redact what looks like a secret, because events may be sent anywhere."""
    return {key: redact_data(value) for key, value in event.items()}


def sanitize_event(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Make an event safe for a terminal, and redact what looks like a secret."""
    return {key: _shown(redact_data(value)) for key, value in event.items()}


def _shown(value: Any) -> Any:
    match value:
        case str():
            return escape_control_characters(value)
        case Mapping():
            return {key: _shown(part) for key, part in value.items()}
        case list():
            return [_shown(part) for part in value]
    return value


class Journal:
    """Reports every stored change of a job: an event, and a fresh ``generation_log.json``.

    Args:
        generation_log: The log file; when it cannot be written the run goes on.
        logger: Takes the events.
    """

    def __init__(
        self, generation_log: GenerationLog, logger: structlog.stdlib.BoundLogger | None = None
    ) -> None:
        self._generation_log = generation_log
        self._logger = logger or get_logger()
        self._last: dict[str, JobStatus] = {}
        self._lock = threading.Lock()
        self._late: LateRefresh | None = None

    def write_late(self, after_s: float) -> None:
        """Write the log once for all changes of some seconds, for a server of many jobs.

        Writing it takes longer than storing a job: with each change it would be most of the work.

        Args:
            after_s: Seconds after the first change.
        """
        from tiomagic_storage.files.late_refresh import LateRefresh  # noqa: PLC0415  # Loads SQL.

        self._late = LateRefresh(self._write, after_s)

    @contextmanager
    def write_less(self) -> Iterator[None]:
        """Write the log once a second within the block, and at its end: for many jobs at once."""
        is_own = self._late is None
        if is_own:
            self.write_late(LOG_OF_MANY_S)
        # Else a server's interval, or that of another batch.
        late = self._late
        try:
            yield
        finally:
            if is_own:
                self._late = None
            if late is not None:
                late.flush()

    def flush(self) -> None:
        """Write the log now, if changes wait for it."""
        if self._late is not None:
            self._late.flush()

    def job_changed(self, job: Job) -> None:
        """Take the new state of a job. Never raises for a log that cannot be written."""
        if self._is_news(job):
            self._tell(job)
        elif job.progress is not None:
            phase = job.progress.phase.value
            self._logger.debug("job.progressed", job_id=job.job_id, phase=phase)
        self._refresh()

    def job_annotated(self, job: Job) -> None:
        """Take a job whose tags or note changed, or that was deleted; its run is unchanged."""
        self._logger.debug("job.kept", job_id=job.job_id)
        self._refresh()

    def trouble(self, error: TioMagicError) -> None:
        """Take an error that did not stop the run."""
        self._logger.warning("run.troubled", error=error.message, code=error.code)

    def _refresh(self) -> None:
        if self._late is None:
            self._write()
        else:
            self._late.request()

    def _write(self) -> None:
        try:
            self._generation_log.refresh()
        except TioMagicError as error:
            self.trouble(error)

    def _is_news(self, job: Job) -> bool:
        """Return whether the status has changed."""
        with self._lock:
            known = self._last.get(job.job_id)
            if job.status.is_terminal:
                self._last.pop(job.job_id, None)
            else:
                self._last[job.job_id] = job.status
        # A job that is new to this process was submitted by another one.
        first = job.status is JobStatus.QUEUED and job.version > 1 and known is None
        return known is not job.status and not first

    def _tell(self, job: Job) -> None:
        say: Callable[..., Any] = self._logger.info
        data: dict[str, Any] = {"job_id": job.job_id}
        if job.status is JobStatus.RUNNING:
            data["call_id"] = job.call_id
        elif job.status is not JobStatus.CANCELING:
            data |= {"feature": job.feature.value, "model": job.model, "provider": job.provider}
        if job.status.is_terminal:
            data["seconds"] = (job.last_updated - job.creation_time).total_seconds()
        if job.status is JobStatus.COMPLETED:
            data["result_video"] = job.result_video
        if job.status is JobStatus.FAILED:
            say = self._logger.error
            data |= {"error": job.error, "error_code": job.error_code}
        say(EVENT_BY_STATUS[job.status], **data)
        if job.version == 1:
            self._warn(job)

    def _warn(self, job: Job) -> None:
        """Log what is known of a job before its run and may not be as its user thinks."""
        words, notes = job.facts.get("unknown_words"), job.facts.get("input_notes")
        if words:
            self._logger.warning(
                "job.not_understood",
                job_id=job.job_id,
                feature=job.feature.value,
                model=job.model,
                words=words,
            )
        if notes:
            self._logger.warning("job.input_noted", job_id=job.job_id, notes=notes)
        sizes, changes = job.facts.get(SIZE_NOTES_FACT), describe_changes(job.facts)
        if sizes:
            self._logger.warning("job.size_noted", job_id=job.job_id, model=job.model, notes=sizes)
        if changes:
            self._logger.warning(
                "job.choice_changed", job_id=job.job_id, model=job.model, changes=changes
            )
        passed = describe_passed_over(job.facts)
        if passed:
            self._logger.warning("job.passed_over", job_id=job.job_id, providers=passed)
