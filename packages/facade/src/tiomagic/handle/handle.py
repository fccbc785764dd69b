"""The job handle (``JobHandle``): the result of a call, to wait, poll, cancel and read it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic.display.next_steps import PYTHON, add_ways, advise_in_python
from tiomagic.handle.events import JobEvent, events, events_async
from tiomagic.handle.job_fields import JobFields
from tiomagic.handle.wait import wait_async, wait_for
from tiomagic.results.pictures import HandlePictures
from tiomagic.results.recipe_diff import Difference, diff_recipes
from tiomagic.results.recipes import of_job
from tiomagic.results.saving import copy_video
from tiomagic.wiring.background.launcher import read_log
from tiomagic_domain.errors import JobExecutionError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.ports.clock import POLL_INTERVAL_S

if TYPE_CHECKING:
    from tiomagic.display.progress_bar import ProgressChoice
    from tiomagic.types import FeatureName, StatusName
    from tiomagic.wiring.session import Session
    from tiomagic_domain.progress import Preview, Progress, ProgressSink


class JobHandle(JobFields, HandlePictures):
    """One job, as of the last check; ``refresh`` checks again."""

    def __init__(self, job: Job, session: Session, recipe: Mapping[str, Any] | None = None) -> None:
        self._job = job
        self._session = session
        self._recipe = recipe

    @property
    def record(self) -> Job:
        """The job as the domain has it; for tiomagic's own modules, no part of the interface."""
        return self._job

    @property
    def session(self) -> Session:
        """The session; for tiomagic's own modules, not part of the interface."""
        return self._session

    @property
    def job_id(self) -> str:
        """The job's id, a UUID."""
        return self._job.job_id

    @property
    def feature(self) -> FeatureName:
        """Such as ``text_to_video``."""
        return self._job.feature.value

    @property
    def model(self) -> str:
        """The model's name."""
        return self._job.model

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._job.provider

    @property
    def status(self) -> StatusName:
        """One of ``queued running canceling completed failed canceled``."""
        return self._job.status.value

    @property
    def is_over(self) -> bool:
        """True when the job has ended: it is completed, failed or canceled."""
        return self._job.status.is_terminal

    @property
    def progress(self) -> Progress | None:
        """The newest progress, with ``phase``, ``step`` and ``steps``; None before the first."""
        return self._job.progress

    @property
    def result_video(self) -> str | None:
        """Absolute path of the video; None until it is on this machine."""
        return self._job.result_video

    @property
    def error(self) -> str | None:
        """Why the job failed, with advice; None otherwise."""
        return None if self._job.error is None else add_ways(self._job.error, PYTHON)

    @property
    def facts(self) -> dict[str, Any]:
        """How it ran: device, dtype, memory plan, seconds of each phase."""
        return dict(self._job.facts)

    @property
    def differences(self) -> list[Difference]:
        """How this run differs from the one that it repeats, for the handle of a ``rerun``.

        The provider, tiomagic's and the libraries' versions, device, dtype, memory plan and weights
        (with their revision), by name; ``str`` gives a line for a person. Empty until the video is
        there, and when nothing differs. The arguments that were replaced are not in it.
        """
        if self._recipe is None or self._job.status is not JobStatus.COMPLETED:
            return []
        return diff_recipes(self._recipe, of_job(self._job))

    @property
    def generation(self) -> dict[str, Any] | None:
        """The run, ``call_id status message timestamp required_args optional_args result_video``.

        None as long as the job is only stored: no provider has answered, and it is in no queue.
        """
        # The first version is the one that is stored before the provider is called.
        is_only_stored = self._job.version == 1 and self._job.queue is None
        return None if is_only_stored else self._job.generation

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain data that ``json.dumps`` accepts."""
        return {**self._job.to_dict(), "generation": self.generation}

    def refresh(self) -> JobHandle:
        """Ask the provider how the job is, fetch a finished video, and return this handle.

        Raises:
            ProcessingError: when the video cannot be written; the next refresh tries again.
        """
        self._job = self._session.generation.check(self.job_id)
        return self

    def wait(
        self,
        timeout: float | None = None,
        *,
        poll: float = POLL_INTERVAL_S,
        progress: ProgressChoice = None,
        on_progress: ProgressSink | None = None,
        cancel_on_timeout: bool = False,
        preview: bool = False,
    ) -> JobHandle:
        """Wait until the job is over, whatever its end, and return this handle.

        Ctrl-C ends the wait and not the job.

        Args:
            timeout: Most seconds to wait; None for no bound.
            poll: Seconds between two polls.
            progress: What stderr shows: a bar with True, nothing with False, None for a bar on a
                terminal only. A callable shows nothing and gets each event, as ``on_progress``
                does.
            on_progress: Takes the progress of each poll, whatever is shown; what it raises ends the
                wait and not the job.
            cancel_on_timeout: True to ask the job to stop when the time is up.
            preview: True to have the run draw previews; the progress then brings each new one, and
                a notebook shows it.

        Raises:
            JobTimeoutError: when the time is up. The job goes on unless it was to be canceled.
            ValidationError: when ``timeout`` or ``poll`` is below 0.
        """
        self._job = wait_for(
            self._session,
            self._job,
            timeout=timeout,
            poll=poll,
            progress=progress,
            on_progress=on_progress,
            cancel_on_timeout=cancel_on_timeout,
            preview=preview,
        )
        return self

    async def wait_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as the methods that block
        *,
        poll: float = POLL_INTERVAL_S,
        on_progress: ProgressSink | None = None,
        cancel_on_timeout: bool = False,
        preview: bool = False,
    ) -> JobHandle:
        """Wait as :meth:`wait` does, without blocking the event loop.

        No thread is held between two polls, so that a service can wait for thousands of jobs. When
        the awaiting task is cancelled, the job goes on, and can be checked later.
        """
        self._job = await wait_async(
            self._session,
            self._job,
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            cancel_on_timeout=cancel_on_timeout,
            preview=preview,
        )
        return self

    def events(
        self,
        timeout: float | None = None,
        *,
        poll: float = POLL_INTERVAL_S,
        preview: bool = False,
    ) -> Iterator[JobEvent]:
        """Yield the events of the job: its current state, each change, and its end.

        ::

            for event in job.events():
                print(event)  # running: denoising 3/30, 41 s left

        Leaving the loop does not stop the job. This handle is as the last event says.

        Args:
            timeout: Seconds to follow it at the most; None for no bound.
            poll: Seconds between two polls; changes between two become one event.
            preview: True to have the run draw previews; an event has each new one.

        Raises:
            JobTimeoutError: when the time is up. The job goes on.
            ValidationError: when ``timeout`` or ``poll`` is below 0.
        """
        following = events(
            self._session, self.job_id, self._of, timeout=timeout, poll=poll, preview=preview
        )
        for event in following:
            self._job = event.job.record
            yield event

    async def events_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as the methods that block
        *,
        poll: float = POLL_INTERVAL_S,
        preview: bool = False,
    ) -> AsyncIterator[JobEvent]:
        """Give the same as :meth:`events` to ``async for``, without blocking the event loop."""
        following = events_async(
            self._session, self.job_id, self._of, timeout=timeout, poll=poll, preview=preview
        )
        async for event in following:
            self._job = event.job.record
            yield event

    def _of(self, job: Job) -> JobHandle:
        return JobHandle(job, self._session)

    def result(self, timeout: float | None = None, *, poll: float = POLL_INTERVAL_S) -> Path:
        """Wait and return the path of the video.

        Raises:
            JobExecutionError: when the job ended without one.
            JobTimeoutError: when the time is up. The job goes on.
        """
        self.wait(timeout, poll=poll)
        return Path(require_video(self._job).result_video or "")

    def save(self, path: str | Path) -> Path:
        """Copy the video to a file, or into a folder that is there, and return its path.

        The file is replaced when the new one is whole. The job keeps its own video.

        Raises:
            JobExecutionError: when the job has no video: it is not over, or ended without one.
            ProcessingError: when the file cannot be written.
        """
        video = Path(require_video(self._job).result_video or "")
        return copy_video(video, Path(path).expanduser().absolute())

    def show(self) -> None:
        """Show the video: below the cell of a notebook, else in your default player.

        Raises:
            JobExecutionError: when the job has no video: it is not over, or ended without one.
            ProcessingError: when there is no player here; the message names the file.
        """
        from tiomagic.display.notebook import is_notebook, show_job  # noqa: PLC0415  # Seldom.
        from tiomagic.display.player import play_file  # noqa: PLC0415  # The same.

        video = Path(require_video(self._job).result_video or "")
        if is_notebook():
            show_job(self._job)
        else:
            play_file(video)

    def __await__(self) -> Generator[Any, None, JobHandle]:
        """Wait for the job's end without blocking the loop: ``await job``; see :meth:`wait_async`.

        It returns this handle.
        """
        return self.wait_async().__await__()

    def cancel(self, *, lost: bool = False) -> JobHandle:
        """Ask the job to stop, store the outcome, and return this handle.

        Args:
            lost: End a job whose run is lost, for example with a machine or container that will not
                come back. The provider is not asked.

        Raises:
            ValidationError: when it is ``lost``, and its run was seen just now.
        """
        with advise_in_python():
            self._job = self._session.generation.cancel(self.job_id, lost=lost)
        return self

    def run_next(self) -> JobHandle:
        """Move the job to the front of its queue, and return this handle.

        A job that runs already goes on; this one comes after it.

        Raises:
            ValidationError: when the job does not wait in a queue of your job store.
        """
        self._job = self._session.archive.run_next(self.job_id)
        return self

    def preview(self) -> Preview:
        """Return the newest preview of the running job, and have the run draw more from now on.

        Its ``jpeg`` has the beginning, the middle and the end of the unfinished video side by side;
        it is empty before the first one. Its ``reason`` says why there will be none.
        """
        return self._session.generation.preview(self._job)

    def logs(self) -> str:
        """Return what the run has printed so far, when a background worker of this machine has it.

        Raises:
            ResourceNotFoundError: when there is no such log: the job runs elsewhere or in its
                caller's process, or has not begun.
        """
        settings = self._session.settings
        return read_log(settings.state_dir, self.job_id, settings.secrets)

    def tag(self, *tags: str) -> JobHandle:
        """Add tags to find the job by, whatever its status, and return this handle.

        Raises:
            ValidationError: when one is empty, longer than 100 characters, or not on one line.
        """
        self._job = self._session.archive.label(self.job_id, add=tags)
        return self

    def untag(self, *tags: str) -> JobHandle:
        """Remove tags, and return this handle; a tag that the job lacks is ignored."""
        self._job = self._session.archive.label(self.job_id, remove=tags)
        return self

    def set_note(self, note: str) -> JobHandle:
        """Replace the job's note, whatever its status, and return this handle; "" removes it."""
        self._job = self._session.archive.label(self.job_id, note=note)
        return self

    def _repr_html_(self) -> str:
        """Return an inline player with the settings, for a notebook."""
        from tiomagic.display.notebook import render_job  # noqa: PLC0415  # Only for a notebook.

        return render_job(self._job)

    def __repr__(self) -> str:
        """Return one line with what matters."""
        what = f"{self.feature} with {self.model} on {self.provider}: {self.status}"
        tail = self.result_video or self.error or self.progress
        warned = f"; {'; '.join(self.warnings)}" if self.warnings else ""
        return f"<JobHandle {self.job_id} {what}{f', {tail}' if tail else ''}{warned}>"


def require_video(job: Job) -> Job:
    """Return a job that has its video.

    Raises:
        JobExecutionError: when it ended without one.
    """
    if job.status is JobStatus.COMPLETED:
        return job
    reason = f": {add_ways(job.error, PYTHON)}" if job.error else ""
    raise JobExecutionError(
        f"job {job.job_id} ended without a video, {job.status}{reason}",
        details={"job_id": job.job_id, "status": job.status.value, "code": job.error_code},
    )
