"""Sees that queued jobs have a worker, and that the jobs of dead workers are not forgotten."""

from __future__ import annotations

from datetime import datetime

from tiomagic_domain.jobs import Job, JobStatus
from tiomagic_domain.ports.provider import RUN_GONE, Report
from tiomagic_domain.reports import apply_report
from tiomagic_domain.working.background import Background
from tiomagic_domain.writing import JobWriter


class Supervisor:
    """Looks after the jobs of queues, from whichever process asks for one of them.

    Args:
        background: The parts of jobs that run without their caller.
        writer: Stores changes.
    """

    def __init__(self, background: Background, writer: JobWriter) -> None:
        self._background = background
        self._writer = writer

    def look_after(self, job: Job) -> None:
        """Start a worker for a job that waits, and end one that is silent with a job in hand."""
        if job.queue is None or job.status.is_terminal:
            return
        if job.status is JobStatus.QUEUED:
            self.serve(job.queue)
            return
        for lease in self._background.workers(job.queue):
            if lease.owner == job.call_id:
                self._background.bury(lease)

    def forget(self, job: Job) -> None:
        """Free what is held, for a job or its queue, by a process that cannot be seen.

        For a person who has said that the process will not come back.
        """
        owners = {job.call_id} if job.call_id is not None else set()
        if job.queue is not None:
            owners |= {lease.owner for lease in self._background.workers(job.queue)}
        self._background.forget(owners)

    def serve(self, queue: str) -> None:
        """See that a queue of this machine has a living worker."""
        if not self._background.is_local(queue):
            return
        alive = [x for x in self._background.workers(queue) if not self._background.bury(x)]
        if not alive:
            self._background.launcher.launch(queue)

    def settle_lost(self, judged: Job, report: Report) -> Job:
        """Store that a job's worker was lost: it runs again if it may, and fails otherwise.

        Args:
            judged: The job as it was when its worker was found dead; if somebody else has given it
                another worker since, nothing happens.
            report: Says ``failed`` with the code ``worker_lost``.
        """

        def change(job: Job, at: datetime) -> Job | None:
            if (job.call_id, job.attempt) != (judged.call_id, judged.attempt):
                return None
            if job.status is JobStatus.RUNNING and job.retry > 0:
                return job.again(at=at, message=f"runs again: {report.error}")
            return apply_report(job, report, at=at)

        job = self._writer.change(judged.job_id, change)
        if job.status is JobStatus.QUEUED and job.queue is not None:
            self.serve(job.queue)
        return job


def is_lost(job: Job, report: Report) -> bool:
    """Return whether a report says that the worker of a queue's job is gone."""
    failed = report.status is JobStatus.FAILED and report.error_code in RUN_GONE
    return job.queue is not None and failed
