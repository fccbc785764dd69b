"""Previews of a job that runs elsewhere: who waits for it gets each new one with its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.progress import Progress, ProgressSink

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

LOOK_INTERVAL_S: Final = 0.5
"""Least seconds between two looks: a run draws no faster."""


class PreviewWatcher:
    """Looks for the previews of a job, and returns each new one once.

    Args:
        session: With the providers and the clock.
        explain: Called once with the reason if there will be no previews; None to say nothing.
    """

    def __init__(self, session: Session, explain: Callable[[str], None] | None = None) -> None:
        self._session = session
        self._explain = explain
        self._looked = float("-inf")
        self._last = b""

    def look(self, job: Job) -> bytes | None:
        """Return the newest preview of a job if it is new, else None."""
        now = self._session.clock.monotonic()
        if job.status not in {JobStatus.QUEUED, JobStatus.RUNNING}:
            return None
        if now - self._looked < LOOK_INTERVAL_S:
            return None
        self._looked = now
        found = self._session.generation.preview(job)
        if found.reason and self._explain is not None:
            self._explain(found.reason)
            self._explain = None
        if not found.jpeg or found.jpeg == self._last:
            return None
        self._last = found.jpeg
        return found.jpeg

    def add_to(self, job: Job, sink: ProgressSink) -> ProgressSink:
        """Return a sink that passes progress on with each new preview.

        Args:
            job: Which one.
            sink: Gets the progress.
        """

        def take(progress: Progress) -> None:
            sink(replace(progress, preview=self.look(job)))

        return take
