"""The port ``Provider`` over a few threads. It keeps ``QueueingProviderContract``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from examples.embedded_service import drawing
from examples.embedded_service.card import BALL, PROVIDER

from tiomagic_domain.errors import GenerationCanceledError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.jobs.recipe import build_recipe
from tiomagic_domain.media import VideoFile
from tiomagic_domain.ports import Capabilities, Observer, Report, Request
from tiomagic_domain.progress import Phase, Progress

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Run:
    """One drawing under way, or finished."""

    request: Request
    step: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    future: Future[VideoFile] | None = None


class DrawingProvider:
    """Draws in threads of this process. Its runs end with it.

    Args:
        spool: Folder where finished videos wait until the output store takes them.
        threads: Drawings at the same time.
    """

    def __init__(self, spool: Path, *, threads: int = 2) -> None:
        self._spool = spool
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads)

    @property
    def name(self) -> str:
        """The provider's name in jobs."""
        return PROVIDER

    def capabilities(self) -> Capabilities:
        """Return what the provider is like."""
        return Capabilities(default_model=BALL.name, blocking=False)

    def check(self, request: Request) -> None:
        """Accept every valid request."""

    def submit(self, request: Request, observer: Observer) -> Report:  # noqa: ARG002 - the port's
        """Queue a drawing, once a job."""
        job_id = request.job.job_id
        with self._lock:
            if job_id not in self._runs:
                run = self._runs[job_id] = Run(request)
                run.future = self._pool.submit(self._draw, run)
        return Report(status=JobStatus.QUEUED, call_id=job_id)

    def poll(self, job: Job) -> Report:
        """Say how a drawing is."""
        run = self._runs.get(job.job_id)
        if run is None or run.future is None:
            # The process that was drawing has ended, and the drawing with it.
            message = "the service was restarted while it was drawing"
            return Report(status=JobStatus.FAILED, error=message, error_code="lost")
        if not run.future.done():
            return self._underway(run)
        try:
            return Report(status=JobStatus.COMPLETED, video=run.future.result())
        except GenerationCanceledError:
            return Report(status=JobStatus.CANCELED)
        except Exception as error:  # noqa: BLE001 - whatever broke the run is its end
            code = error.code if isinstance(error, TioMagicError) else "drawing"
            return Report(status=JobStatus.FAILED, error=str(error), error_code=code)

    def cancel(self, job: Job) -> Report:
        """Ask for a drawing to stop before its next frame."""
        run = self._runs.get(job.job_id)
        if run is not None and run.future is not None and not run.future.done():
            run.stop.set()
            return Report(status=JobStatus.CANCELING)
        return self.poll(job)

    def close(self) -> None:
        """Stop all drawings and wait for their threads."""
        for run in self._runs.values():
            run.stop.set()
        self._pool.shutdown()

    def _underway(self, run: Run) -> Report:
        if not run.step:
            return Report(status=JobStatus.QUEUED)
        steps = run.request.settings["num_frames"]
        progress = Progress(phase=Phase.WRITING, step=run.step, steps=steps)
        return Report(status=JobStatus.RUNNING, progress=progress)

    def _draw(self, run: Run) -> VideoFile:
        job, settings = run.request.job, run.request.settings
        self._spool.mkdir(parents=True, exist_ok=True)
        path = self._spool / f"{job.job_id}.mp4"
        recipe = build_recipe(job, versions={}, facts={})
        try:
            drawing.write(path, self._frames(run), fps=settings["fps"], recipe=recipe)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return VideoFile(path=path, recipe=recipe)

    def _frames(self, run: Run) -> Iterator[np.ndarray]:
        prompt = str(run.request.job.required_args["prompt"])
        for picture in drawing.frames(prompt, run.request.settings):
            if run.stop.is_set():
                raise GenerationCanceledError("the drawing was stopped")
            run.step += 1
            yield picture
