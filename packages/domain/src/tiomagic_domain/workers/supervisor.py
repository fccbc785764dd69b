"""The supervisor: starts workers for queued jobs, and settles the jobs of workers that died."""

from __future__ import annotations

from datetime import datetime

from tiomagic_domain.advice import NextStep
from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.lifecycle.apply_report import apply_report
from tiomagic_domain.lifecycle.job_updater import JobUpdater
from tiomagic_domain.ports.provider import RUN_GONE, Report
from tiomagic_domain.workers.leases import Background
from tiomagic_domain.workers.unreachable import explain_lost_cancel

WAITING_REASON_PREFIX = "waits: "
"""Prefix of a queued job's message when something keeps it from running."""

TRIES_AGAIN_SUFFIX = ". Its worker tries again until this is over"
"""Suffix of a queued job's message when a failure of the machine has stopped its run."""

START_FAILURE_PREFIX = f"{WAITING_REASON_PREFIX}its worker does not start"


class Supervisor:
    """Supervises queues. It has no process: each check of a queued job calls it.

    Args:
        background: The parts of jobs that run without their caller.
        updater: Stores changes.
    """

    def __init__(self, background: Background, updater: JobUpdater) -> None:
        self._background = background
        self._updater = updater

    def runs_here(self, job: Job) -> bool:
        """Return whether a job runs in a process of a machine, as opposed to a remote service."""
        return job.queue is not None or self._background.runs_in_process(job.provider)

    def supervise(self, job: Job) -> str | None:
        """Start a worker for a waiting job, and kill a stale worker that has a job.

        Returns:
            Why no worker will take a waiting job; None when one will, or the job does not wait.

        Raises:
            ConfigurationError: when its worker does not start.
        """
        if job.queue is None or job.status.is_terminal:
            return None
        if job.status is JobStatus.QUEUED:
            return self.ensure_worker(job.queue, job.job_id)
        # A worker that hangs in a driver still has its lock and its process; only the missing
        # heartbeat shows it.
        # The job runs: only the lease of its own worker matters.
        for lease in self._background.list_workers(job.queue):
            if lease.owner == job.call_id:
                self._background.reclaim(lease)
        return None

    def release_lost(self, job: Job) -> None:
        """Release the leases of a job or its queue that a process holds which cannot be seen.

        Only after the user has said that the process will not come back.
        """
        owners = {job.call_id} if job.call_id is not None else set()
        if job.queue is not None:
            owners |= {lease.owner for lease in self._background.list_workers(job.queue)}
        self._background.reclaim_unreachable(owners)

    def ensure_worker(self, queue: str, job_id: str) -> str | None:
        """Ensure that a queue of this machine has a live worker.

        After failed starts the retries have growing pauses, doubled each time.

        Args:
            queue: Which one.
            job_id: A job that waits in it.

        Returns:
            Why it has none; None when it has one, or another process is starting it.

        Raises:
            ConfigurationError: when its worker does not start.
        """
        background = self._background
        if not background.is_local(queue):
            host = queue.split(":", 2)[1]
            return (
                f"{WAITING_REASON_PREFIX}its worker runs on the machine {host!r}, and "
                f"is started when a "
                "program looks from there. If that machine will not come back, "
                f"{NextStep.CANCEL.say(job_id=job_id)}"
            )
        # Reclaiming first makes the name free that a new worker needs.
        alive = [x for x in background.list_workers(queue) if not background.reclaim(x)]
        if not alive:
            return self._launch(queue)
        # One that runs shows that starts work again, so the next failure begins with the shortest
        # pause.
        background.clear_failed_starts(queue)
        if len(background.find_unreachable(alive)) < len(alive):
            return None
        return (
            f"{WAITING_REASON_PREFIX}its queue is held by {alive[0].owner}, which "
            f"cannot be seen from here: in "
            f"another container, or on another machine of this name. {explain_lost_cancel(job_id)}"
        )

    def _launch(self, queue: str) -> str | None:
        background = self._background
        tries, wait_s = background.failed_starts(queue)
        if wait_s > 0:
            return (
                f"{START_FAILURE_PREFIX}, {tries} tries so far; the next one is in "
                f"{wait_s:.0f} s or less"
            )
        # None means that another process is starting a worker now.
        starting = background.begin_start(queue)
        if starting is None:
            return None
        try:
            background.launcher.launch(queue)
        except ConfigurationError:
            background.record_failed_start(queue)
            raise
        # Also after Ctrl-C: else the next two minutes would pass without a worker.
        finally:
            background.leases.release(starting)
        return None

    def requeue(self, judged: Job, error: Exception) -> Job:
        """Queue a job again that a failure of the machine has stopped.

        Args:
            judged: The job when its worker took it; nothing happens if another worker has it now.
            error: The failure.
        """
        reason = error.message if isinstance(error, TioMagicError) else str(error)
        why = f"{WAITING_REASON_PREFIX}{reason or type(error).__name__}{TRIES_AGAIN_SUFFIX}"

        def change(job: Job, at: datetime) -> Job | None:
            # The job has another run since: another process has settled the one that was judged.
            if (job.call_id, job.attempt) != (judged.call_id, judged.attempt):
                return None
            if job.status is JobStatus.RUNNING:
                return job.requeue(at=at, message=why)
            # It was canceled meanwhile, and its run has stopped.
            return apply_report(job, Report(status=JobStatus.CANCELED, message="canceled"), at=at)

        return self._updater.update(judged, change)

    def handle_lost_worker(self, judged: Job, report: Report) -> Job:
        """Store that a job's worker was lost: retry it if ``retry`` allows, else fail it.

        Args:
            judged: The job when its worker was found dead; nothing happens if it has another worker
                now.
            report: Says ``failed`` with the code ``worker_lost``.
        """

        def change(job: Job, at: datetime) -> Job | None:
            # The job has another run since: another process has settled the one that was judged.
            if (job.call_id, job.attempt) != (judged.call_id, judged.attempt):
                return None
            # A job in canceling is not retried, however many retries it has left.
            if job.status is JobStatus.RUNNING and job.retry > 0:
                return job.next_attempt(at=at, message=f"runs again: {report.error}")
            return apply_report(job, report, at=at)

        job = self._updater.update(judged, change)
        if job.status is JobStatus.QUEUED and job.queue is not None:
            # The retry needs a new worker, because the old one is dead.
            self.ensure_worker(job.queue, job.job_id)
        return job


def find_requeue_reason(job: Job) -> str | None:
    """Return the failure of the machine that has put a job back into its queue; None for none."""
    message = job.message
    if job.status is not JobStatus.QUEUED or not message.endswith(TRIES_AGAIN_SUFFIX):
        return None
    return message.removeprefix(WAITING_REASON_PREFIX).removesuffix(TRIES_AGAIN_SUFFIX)


def is_worker_lost(job: Job, report: Report) -> bool:
    """Return whether a report says that the worker of a queue's job was lost."""
    failed = report.status is JobStatus.FAILED and report.error_code in RUN_GONE
    return job.queue is not None and failed
