"""Which process sends a stored job to its provider, and what becomes of it when that one dies.

::

    stored, with its sender ──► sent: the sender is forgotten
            │
            └── the sender is dead, and the job was never sent:
                    with a key      the next one who meets the job takes it over and sends it
                    without a key   it is left to its provider, which calls it lost

A job with a key is the same job however often its call is sent, so it is safe to go on with it. The
caller of one without a key has no answer, and may have repeated its call as another job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.lifecycle.job_updater import JobUpdater
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.processes import Processes, ProcessState
from tiomagic_domain.ports.provider import SENDER

SENDING_TIME: Final = timedelta(minutes=5)
"""How long a process that cannot be seen may take to send a stored job, with its inputs."""
PROCESS: Final = "process"
PLACE: Final = "place"


class JobSenders:
    """Knows who sends a job, and takes over what a dead process has left.

    Args:
        updater: Changes jobs.
        clock: The time.
        processes: Says which processes live; None where that is not known, and nothing is taken
            over.
        place: Where jobs are sent from: processes of one place know what the others have sent.
    """

    def __init__(
        self, updater: JobUpdater, clock: Clock, processes: Processes | None, place: str
    ) -> None:
        self._updater = updater
        self._clock = clock
        self._processes = processes
        self._place = place

    def mark(self, job: Job) -> Job:
        """Return a job that is about to be stored and sent, with this process as its sender."""
        if self._processes is None:
            return job
        sender = {PROCESS: self._processes.current(), PLACE: self._place}
        return replace(job, facts={**job.facts, SENDER: sender})

    def is_being_sent(self, job: Job) -> bool:
        """Return whether a process may be sending a job now."""
        if job.call_id is not None or job.queue is not None:
            return False
        return self._find_state(job) is not ProcessState.DEAD and self._is_early(job)

    def has_living_sender(self, job: Job) -> bool:
        """Return whether a process that certainly lives is sending a job now."""
        return self._find_state(job) is ProcessState.ALIVE and self._is_early(job)

    def take(self, job: Job) -> tuple[Job, bool]:
        """Make this process the sender of a job that a dead one has left; no other job changes.

        Of several that take it at once one gets it. It is sent only from where the dead one would
        have sent it: some providers know only there which jobs were sent.

        Returns:
            The job as it is now, and whether this process is to send it.
        """
        if not self._is_left(job):
            return job, False

        is_ours = False

        def change(job: Job, at: datetime) -> Job | None:
            nonlocal is_ours
            is_ours = self._is_left(job)
            return replace(self.mark(job), last_updated=at) if is_ours else None

        return self._updater.update(job, change, quiet=True), is_ours

    def _is_left(self, job: Job) -> bool:
        is_unsent = job.status is JobStatus.QUEUED and job.call_id is None and job.queue is None
        is_dead = self._find_state(job) is ProcessState.DEAD
        return is_unsent and job.idempotency_key is not None and is_dead

    def _is_early(self, job: Job) -> bool:
        # Not since the job was stored: its sender may have taken it over just now.
        return self._clock.now() - job.last_updated < SENDING_TIME

    def _find_state(self, job: Job) -> ProcessState:
        """Return whether a job's sender lives; unknown for none, or one of another place."""
        sender = job.facts.get(SENDER)
        if not isinstance(sender, Mapping) or self._processes is None:
            return ProcessState.UNKNOWN
        if sender.get(PLACE) != self._place:
            return ProcessState.UNKNOWN
        return self._processes.get_state(str(sender.get(PROCESS)))
