"""A fake provider: runs jobs in memory, with scripted progress and faults.

::

    provider = FakeProvider(tmp_path)                  # remote: queued, running, completed
    provider = FakeProvider(tmp_path, blocking=True)   # submit returns the finished video
    provider.unreachable = True                        # the network is down
    provider.rate_limits = [30.0]                      # the next poll is refused: again in 30 s
    provider.loses_answers = True                      # the job starts, the answer does not arrive
    provider.rejection = AuthenticationError("…")      # refused before it is stored
    provider.failure = GenerationError("…")            # fails on the way
    provider.conditions = RunConditions(device=…)      # what a preflight finds
    provider.newest_preview = Preview(jpeg=…)          # what who looks at a run gets
    provider.forget(job.job_id)                        # the run is lost
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.errors import APIError, GenerationCanceledError, RateLimitError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports.preflight import RunConditions
from tiomagic_domain.ports.provider import (
    Capabilities,
    Observer,
    ProviderBase,
    Report,
    Request,
)
from tiomagic_domain.progress import Phase, Preview, Progress

STEPS = 3
"""Denoising steps of every run."""


def ignore_step(step: int) -> None:
    """Let a step pass."""


@dataclass(slots=True, kw_only=True)
class FakeRun:
    """One run of a job."""

    job: Job
    call_id: str
    script: list[JobStatus]
    """The reports of the next polls."""
    status: JobStatus = JobStatus.QUEUED
    """The last report."""
    stopping: bool = False
    """True after a cancel; the next poll reports the end."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class FakeProvider(ProviderBase):
    """Runs jobs without a model. Thread-safe.

    Args:
        spool: Folder for the finished videos; a fresh file each time one is fetched.
        name: The provider's name.
        blocking: True when ``submit`` is to see the job to its end.
        default_model: The model that runs when none is named.
        script: The reports of successive polls of a remote run; the last one repeats.

    Attributes:
        checked: Every request that was looked at before it was stored.
        submitted: Every request that reached ``submit``, also the ones that started nothing.
        polled: The job id of each poll.
        canceled: The job id of each cancel.
        runs: The runs that were started, by job id.
        unreachable: While True, nothing can be asked and nothing starts.
        rate_limits: Refuses that many of the next polls; each may come again after so many seconds.
        loses_answers: While True, a submission starts its run and the answer is lost.
        loses_requests: While True, a submission is lost on its way and starts nothing, and the
            caller cannot tell.
        rejection: Raised by ``check``.
        conditions: What a preflight finds, whatever the model; nothing is known at first.
        looked_ahead: The name of each model that a preflight was asked for.
        newest_preview: What who looks at a run gets; no picture at first.
        looked_at: The job id of each look at a preview.
        failure: How each run ends from now on; None lets it succeed.
        during: Called with the number of each step of a blocking run, before it is reported.
    """

    def __init__(
        self,
        spool: Path,
        *,
        name: str = "fake",
        blocking: bool = False,
        default_model: str = "wan2.1-vace-14b",
        script: tuple[JobStatus, ...] = (JobStatus.RUNNING, JobStatus.COMPLETED),
    ) -> None:
        self.checked: list[Request] = []
        self.submitted: list[Request] = []
        self.polled: list[str] = []
        self.canceled: list[str] = []
        self.runs: dict[str, FakeRun] = {}
        self.unreachable = False
        self.rate_limits: list[float] = []
        self.loses_answers = False
        self.loses_requests = False
        self.rejection: TioMagicError | None = None
        self.conditions: RunConditions = RunConditions()
        self.looked_ahead: list[str] = []
        self.newest_preview: Preview = Preview()
        self.looked_at: list[str] = []
        self.failure: TioMagicError | None = None
        self.during: Callable[[int], None] = ignore_step
        self._spool = spool
        self._name = name
        self._capabilities = Capabilities(default_model=default_model, blocking=blocking)
        self._script = script
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._name

    def capabilities(self) -> Capabilities:
        """Return the provider's properties."""
        return self._capabilities

    def check(self, request: Request) -> None:
        """Raise ``rejection``, if there is one."""
        self.checked.append(request)
        if self.rejection is not None:
            raise self.rejection

    def preflight(self, card: ModelCard, settings: Mapping[str, Any]) -> RunConditions:  # noqa: ARG002
        """Return ``conditions``."""
        self.looked_ahead.append(card.name)
        return self.conditions

    def submit(self, request: Request, observer: Observer) -> Report:
        """Start a run, unless the job has one already."""
        self.submitted.append(request)
        self._reach()
        if self.loses_requests:
            raise _answer_lost()
        run, is_new = self._start(request.job)
        if self.loses_answers:
            raise _answer_lost()
        if self._capabilities.blocking:
            return self._work(run, observer) if is_new else self._word(run)
        return Report(status=JobStatus.QUEUED, call_id=run.call_id, message="waiting for a machine")

    def poll(self, job: Job) -> Report:
        """Return the next report of the run's script."""
        self.polled.append(job.job_id)
        self._reach()
        if self.rate_limits:
            pause = {"retry_after": self.rate_limits.pop(0)}
            raise RateLimitError(f"{self._name} takes no more requests now", details=pause)
        run = self.runs.get(job.job_id)
        return _lost(job) if run is None else self._next_word(run)

    def preview(self, job: Job) -> Preview:
        """Return the newest preview, whatever the job."""
        self.looked_at.append(job.job_id)
        self._reach()
        return self.newest_preview

    def cancel(self, job: Job) -> Report:
        """Ask the job's run to stop; the next poll says whether it did."""
        self.canceled.append(job.job_id)
        self._reach()
        run = self.runs.get(job.job_id)
        if run is None:
            return _lost(job)
        with run.lock:
            if not run.status.is_terminal:
                run.stopping = True
                return Report(status=JobStatus.CANCELING, call_id=run.call_id)
        return self._word(run)

    def forget(self, job_id: str) -> None:
        """Lose a run, as a service does that clears its records."""
        del self.runs[job_id]

    def finish(self, job_id: str, status: JobStatus = JobStatus.COMPLETED) -> None:
        """Bring a run to an end now, whatever its script says."""
        self.runs[job_id].status = status

    def new_call_id(self) -> str:
        """Return the name of a run that starts now."""
        return f"call-{next(self._numbers)}"

    def _reach(self) -> None:
        if self.unreachable:
            raise APIError(f"{self._name} cannot be reached", code="unreachable", retryable=True)

    def _start(self, job: Job) -> tuple[FakeRun, bool]:
        with self._lock:
            if job.job_id in self.runs:
                return self.runs[job.job_id], False
            run = FakeRun(job=job, call_id=self.new_call_id(), script=list(self._script))
            self.runs[job.job_id] = run
            return run, True

    def _work(self, run: FakeRun, observer: Observer) -> Report:
        try:
            for step in range(STEPS + 1):
                self.during(step)
                observer.raise_if_canceled()
                progress = Progress(phase=Phase.DENOISING, step=step, steps=STEPS)
                observer.report(
                    Report(status=JobStatus.RUNNING, call_id=run.call_id, progress=progress)
                )
            if self.failure is not None:
                raise self.failure
        except GenerationCanceledError:
            run.status = JobStatus.CANCELED
        except TioMagicError:
            run.status = JobStatus.FAILED
            raise
        else:
            run.status = JobStatus.COMPLETED
        return self._word(run)

    def _next_word(self, run: FakeRun) -> Report:
        with run.lock:
            if run.stopping and not run.status.is_terminal:
                run.status = JobStatus.CANCELED
            elif run.script and not run.status.is_terminal:
                word = run.script.pop(0)
                fails = word is JobStatus.COMPLETED and self.failure is not None
                run.status = JobStatus.FAILED if fails else word
        return self._word(run)

    def _word(self, run: FakeRun) -> Report:
        match run.status:
            case JobStatus.COMPLETED:
                video = self._fetch(run)
                return Report(status=run.status, call_id=run.call_id, message="done", video=video)
            case JobStatus.FAILED:
                failure = self.failure or TioMagicError("the run broke", code="broke")
                return Report(
                    status=run.status,
                    call_id=run.call_id,
                    error=failure.message,
                    error_code=failure.code,
                )
            case JobStatus.RUNNING:
                progress = Progress(phase=Phase.DENOISING, step=1, steps=STEPS)
                return Report(status=run.status, call_id=run.call_id, progress=progress)
            case _:
                return Report(status=run.status, call_id=run.call_id)

    def _fetch(self, run: FakeRun) -> VideoFile:
        """Write the video anew, so that two processes never take over the same file."""
        self._spool.mkdir(parents=True, exist_ok=True)
        path = self._spool / f"{run.job.job_id}-{next(self._numbers)}.mp4"
        path.write_bytes(b"a video of " + run.job.job_id.encode())
        return VideoFile(path=path, recipe=build_recipe(run.job, versions={}, facts={}))


def _answer_lost() -> APIError:
    return APIError("the answer was lost", code="answer_lost", retryable=True)


def _lost(job: Job) -> Report:
    return Report(
        status=JobStatus.FAILED,
        error=f"the provider knows no run of job {job.job_id}",
        error_code="lost",
    )
