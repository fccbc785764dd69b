"""Waiting for a job that runs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tiomagic.display.next_steps import advise_in_python
from tiomagic.display.progress_bar import ProgressChoice, show_progress
from tiomagic.handle.blocking import BlockingRunner, run_in_thread
from tiomagic.handle.events import states_async
from tiomagic.handle.previews import PreviewWatcher
from tiomagic_domain.errors import JobTimeoutError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.ports.clock import POLL_INTERVAL_S
from tiomagic_domain.progress import ProgressSink
from tiomagic_domain.usecases.interruptions import say_goes_on

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session


@advise_in_python()
def wait_for(  # noqa: PLR0913 - by keyword only, as the handle's method
    session: Session,
    job: Job,
    *,
    timeout: float | None = None,
    poll: float = POLL_INTERVAL_S,
    progress: ProgressChoice = None,
    on_progress: ProgressSink | None = None,
    cancel_on_timeout: bool = False,
    preview: bool = False,
    explain: Callable[[str], None] | None = None,
) -> Job:
    """Wait until a job is over, with its progress shown.

    Args:
        session: With the job.
        job: Which one.
        timeout: As for :meth:`tiomagic.JobHandle.wait`, like the next four.
        poll: The same.
        progress: The same.
        on_progress: The same.
        cancel_on_timeout: The same.
        preview: True to have previews drawn, and passed on with the progress.
        explain: Called with the reason if there will be none.

    Raises:
        JobTimeoutError: when the time is up. The job goes on, or was asked to stop when that is
            wanted.
        KeyboardInterrupt: at Ctrl-C, with a note that has the job's id. The job goes on.
    """
    generation = session.generation
    with _add_resume_hint(job.job_id):
        try:
            with show_progress(progress, f"{job.model} on {job.provider}", on_progress) as shown:
                sink = PreviewWatcher(session, explain).add_to(job, shown) if preview else shown
                return generation.wait(job.job_id, timeout=timeout, poll=poll, on_progress=sink)
        except JobTimeoutError:
            if not cancel_on_timeout:
                raise
            return _stop(session, job.job_id, timeout)


async def wait_async(
    session: Session,
    job: Job,
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - as the methods that block
    poll: float = POLL_INTERVAL_S,
    on_progress: ProgressSink | None = None,
    cancel_on_timeout: bool = False,
    preview: bool = False,
    blocking: BlockingRunner = run_in_thread,
) -> Job:
    """Wait until a job is over without blocking the loop.

    Raises:
        JobTimeoutError: as :func:`wait_for`.
    """
    states = states_async(session, job.job_id, timeout=timeout, poll=poll, blocking=blocking)
    latest, watcher = job, PreviewWatcher(session)
    try:
        with advise_in_python():
            async for state in states:
                latest = state
                if on_progress is not None and state.progress and not state.status.is_terminal:
                    picture = await blocking(partial(watcher.look, state)) if preview else None
                    on_progress(replace(state.progress, preview=picture))
    except JobTimeoutError:
        if not cancel_on_timeout:
            raise
        return await blocking(lambda: _stop(session, job.job_id, timeout))
    return latest


def _stop(session: Session, job_id: str, timeout: float | None) -> Job:
    """Cancel a job after its timeout; return it if its video is finished nevertheless.

    Raises:
        JobTimeoutError: with the state of the job.
    """
    job = session.generation.cancel(job_id)
    if job.status is JobStatus.COMPLETED:
        return job
    raise JobTimeoutError(
        f"job {job_id} was not over after {timeout} s and was asked to stop; "
        f"it is {job.status} now",
        details={"job_id": job_id, "status": job.status.value},
    )


@contextmanager
def _add_resume_hint(job_id: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(say_goes_on(job_id))
        raise
