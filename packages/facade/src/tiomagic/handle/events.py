"""The events of a job: status and progress changes by polling, with an estimated time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from tiomagic.display.next_steps import PYTHON, add_ways
from tiomagic.handle.blocking import BlockingRunner, run_in_thread
from tiomagic.handle.previews import PreviewWatcher
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.progress import DownloadState, EtaEstimator
from tiomagic_domain.usecases.waiting import WaitDeadline

if TYPE_CHECKING:
    from tiomagic.handle.handle import JobHandle
    from tiomagic.wiring.session import Session

    HandleOf = Callable[[Job], JobHandle]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job."""

    status: str
    """One of ``queued running canceling completed failed canceled``."""
    phase: str | None
    """The phase, such as ``denoising``; None before the first."""
    step: int
    """Steps of this phase that are done."""
    steps: int
    """Steps of this phase in all; 0 when unknown."""
    eta_s: float | None
    """Seconds that the rest of this phase will take at the pace that was measured while these
    events were read; None until two steps were seen, or if unknown."""
    message: str
    """The newest message for the user."""
    job: JobHandle
    """The job as it was then."""
    download: DownloadState | None = None
    """File, bytes and speed of a download; None in other phases."""
    preview: bytes | None = field(default=None, repr=False)
    """A new picture of the unfinished video, a JPEG of at most 20 kB; None without a new one, and
    where none are asked for."""

    @property
    def finished(self) -> bool:
        """True when nothing follows."""
        return self.job.is_over

    def __str__(self) -> str:
        """Return one line, such as ``running: denoising 3/30, 41 s left``."""
        if self.download is not None and not self.finished:
            return f"{self.status}: {self.phase} {self.download.summary}"
        steps = f" {self.step}/{self.steps}" if self.steps else ""
        busy = f": {self.phase}{steps}" if self.phase and not self.finished else ""
        left = f", {self.eta_s:.0f} s left" if self.eta_s is not None else ""
        return f"{self.status}{busy}{left}"


class EventTracker:
    """Turns the states of a job into events, each once.

    Args:
        session: Its clock measures the pace.
        handle_of: Makes the handle of a job's state.
        preview: True to look for previews; a new one is an event too.
    """

    def __init__(self, session: Session, handle_of: HandleOf, *, preview: bool = False) -> None:
        self._handle_of = handle_of
        self._previews = PreviewWatcher(session) if preview else None
        self._pace = EtaEstimator(session.clock.monotonic)
        self._last: tuple[object, ...] | None = None

    def event(self, job: Job) -> JobEvent | None:
        """Return the event that leads to this state, or None when it is the one before."""
        running = None if job.status.is_terminal else job.progress
        eta_s = self._pace.eta_s(running)
        picture = None if self._previews is None else self._previews.look(job)
        mark = (job.status, job.progress, job.message)
        if mark == self._last and picture is None:
            return None
        self._last = mark
        progress = job.progress
        return JobEvent(
            status=job.status.value,
            phase=progress.phase.value if progress else None,
            step=progress.step if progress else 0,
            steps=progress.steps if progress else 0,
            eta_s=eta_s,
            message=add_ways(job.message, PYTHON),
            job=self._handle_of(job),
            download=progress.download if progress else None,
            preview=picture,
        )


def events(
    session: Session,
    job_id: str,
    handle_of: HandleOf,
    *,
    timeout: float | None,
    poll: float,
    preview: bool = False,
) -> Iterator[JobEvent]:
    """Yield the events of a job until it is over; see :meth:`tiomagic.JobHandle.events`."""
    watcher = EventTracker(session, handle_of, preview=preview)
    patience = WaitDeadline(session.clock.monotonic, timeout=timeout, poll=poll)
    while True:
        job = session.generation.check(job_id)
        event = watcher.event(job)
        if event is not None:
            yield event
        if job.status.is_terminal:
            return
        session.clock.sleep(patience.next_pause(job))


async def events_async(
    session: Session,
    job_id: str,
    handle_of: HandleOf,
    *,
    timeout: float | None,  # noqa: ASYNC109 - as the methods that block
    poll: float,
    preview: bool = False,
    blocking: BlockingRunner = run_in_thread,
) -> AsyncIterator[JobEvent]:
    """Give the same without blocking the loop; see :meth:`tiomagic.JobHandle.events_async`."""
    watcher = await blocking(lambda: EventTracker(session, handle_of, preview=preview))
    async for job in states_async(session, job_id, timeout=timeout, poll=poll, blocking=blocking):
        # In a thread: a look for a preview is a read of the disk, or of a network.
        event = await blocking(partial(watcher.event, job)) if preview else watcher.event(job)
        if event is not None:
            yield event


async def states_async(
    session: Session,
    job_id: str,
    *,
    timeout: float | None,  # noqa: ASYNC109 - as the methods that block
    poll: float,
    blocking: BlockingRunner = run_in_thread,
) -> AsyncIterator[Job]:
    """Check a job until it is over, and yield the result of each check.

    Args:
        session: What the job stands on.
        job_id: Which job.
        timeout: Seconds to follow it at the most; None for no bound.
        poll: Seconds between two polls.
        blocking: Runs what would block.

    Raises:
        JobTimeoutError: after the timeout. The job goes on.
    """
    import asyncio  # noqa: PLC0415  # Only for who has a loop.

    clock = await blocking(lambda: session.clock)
    patience = WaitDeadline(clock.monotonic, timeout=timeout, poll=poll)
    while True:
        job = await blocking(lambda: session.generation.check(job_id))
        yield job
        if job.status.is_terminal:
            return
        await asyncio.sleep(patience.next_pause(job))
